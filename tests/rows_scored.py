"""Rows of data sets whose files a test writes, and answers to them scored by the evaluation of a preset."""

import json
from pathlib import Path
from typing import Any

from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import evaluation_of, settings_of
from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted


def rows(name: str, folder: Path, wanted: Wanted | None = None, **args: Any) -> list[Row]:
    found = registry.open_dataset(registry.resolved(name, None), args, wanted or Wanted(), (folder,))
    assert not isinstance(found, Made)
    return list(found)


def write(path: Path, *lines: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in lines)
    path.write_text(text, encoding="utf-8")


def sample(row: Row) -> Sample:
    return Sample(id=row.id, reference=row.reference, meta=row.meta, subset=row.subset)


def scored(name: str, text: str, row: Row) -> Verdict:
    """By the evaluation of a preset."""
    preset = registry.resolved(name, None).preset
    evaluation = evaluation_of(preset.evaluation, name)
    found = evaluator(evaluation.evaluator)
    return found.score(text, sample(row), settings_of(evaluation.args, found.settings, name))


def said(row: Row) -> str:
    return (
        str(row.prompt)
        if row.messages is None
        else "\n".join(f"{one['role']}: {one['content']}" for one in row.messages)
    )
