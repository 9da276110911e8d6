"""The data sets that judges score: their rows, and what a judge is asked about them."""

import json
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evaluators.judging.judge import questions
from evaluators.sample import Sample
from evaluators.settings import evaluation_of
from perfcore.errors import UserError
from perfcore.run.judges import Panel, panel_of
from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted

HEADER = ",document_category,document_set_id,question_id,question,answer,data_source_filenames,input_tokens\n"
NAME = "Report on the EU\u2019s caf\u00e9.txt"


def rows(name: str, folder: Path) -> list[Row]:
    found = registry.open_dataset(registry.resolved(name, None), {}, Wanted(), (folder,))
    assert not isinstance(found, Made)
    return list(found)


def panel(name: str) -> Panel:
    evaluation = evaluation_of(registry.resolved(name, None).preset.evaluation, name)
    found = panel_of(evaluation, name, [], {"url": "http://h"})
    assert found is not None
    return found


def asked(name: str, row: Row, answer: str) -> str:
    """What the judge of a data set sees of an answer to a row."""
    found = panel(name)
    sent = row.messages or row.prompt
    one = Sample(id=row.id, prompt=sent, prediction=answer, reference=row.reference, meta=row.meta)
    contract = found.contracts["judge"]
    return str(questions(0, one, {}, found.judges[0], contract, found.judging, None)[0].messages[-1]["content"])


@pytest.fixture
def lcr(tmp_path: Path) -> Path:
    """A data folder with AA-LCR's table, without its documents."""
    (tmp_path / "aa_lcr").mkdir()
    line = f'0,Legal,eu_ai,7,"Which, if any?",None of them,second.txt;{NAME},42\n'
    (tmp_path / "aa_lcr/AA-LCR_Dataset.csv").write_text(HEADER + line, encoding="utf-8")
    return tmp_path


def archive(path: Path, name: str = NAME) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("lcr/Legal/eu_ai/second.txt", "The second document.")
        file.writestr(f"lcr/Legal/eu_ai/{name}", "The first {document}.")


@pytest.mark.parametrize("place", ["extracted_text/AA-LCR_extracted-text.zip", "AA-LCR_extracted-text.zip"])
@pytest.mark.parametrize("name", [NAME, unicodedata.normalize("NFD", NAME), NAME.encode().decode("cp437")])
def test_documents_are_read_from_the_archive_in_the_order_of_their_names(lcr: Path, place: str, name: str) -> None:
    archive(lcr / "aa_lcr" / place, name)
    (row,) = rows("aa_lcr", lcr)
    prompt = str(row.prompt)
    assert prompt.index("<document 1>\nThe second") < prompt.index("<document 2>\nThe first {document}.\n</document 2>")
    assert "Which, if any?" in prompt and (row.id, row.reference) == ("7", "None of them")


@pytest.mark.parametrize("place", ["", "extracted_text", "extracted_text/AA-LCR_extracted-text"])
def test_documents_may_be_unpacked(lcr: Path, place: str) -> None:
    archive(lcr / "a.zip")
    with zipfile.ZipFile(lcr / "a.zip") as file:
        file.extractall(lcr / "aa_lcr" / place)
    assert "The second document." in str(rows("aa_lcr_llmjudge", lcr)[0].prompt)


def test_the_judge_of_long_documents_sees_the_question_without_them(lcr: Path) -> None:
    archive(lcr / "aa_lcr/AA-LCR_extracted-text.zip")
    text = asked("aa_lcr", rows("aa_lcr", lcr)[0], "None.")
    assert "Which, if any?" in text and "None of them" in text and "second document" not in text


def test_documents_that_are_missing_are_named(lcr: Path) -> None:
    with pytest.raises(UserError, match=r"has no documents: put extracted_text/AA-LCR_extracted-text\.zip there"):
        rows("aa_lcr", lcr)
    archive(lcr / "aa_lcr/AA-LCR_extracted-text.zip", "other.txt")
    with pytest.raises(UserError, match=r"Dataset\.csv, line 2: the document lcr/Legal/eu_ai/Report .* is not in"):
        rows("aa_lcr", lcr)
    (lcr / "aa_lcr/AA-LCR_extracted-text.zip").write_bytes(b"PK no archive")
    with pytest.raises(UserError, match="cannot be read as a ZIP archive"):
        rows("aa_lcr", lcr)


@pytest.fixture
def hle(tmp_path: Path) -> Path:
    """Two rows in the layout of the hub, the second with a picture."""
    row: dict[str, Any] = {"answer_type": "exactMatch", "category": "Math", "raw_subject": "Algebra", "rationale": "r"}
    picture = "data:image/png;base64,iVBORw0KGgo="
    both = [
        {"id": "a", "question": "How many?", "image": "", "answer": "42", **row},
        {"id": "b", "question": "What is shown?", "image": picture, "answer": "A ring", **row},
    ]
    (tmp_path / "hle/data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(both), tmp_path / "hle/data/test-00000-of-00001.parquet")
    return tmp_path


def test_the_last_exam_asks_for_three_parts_and_shows_its_pictures(hle: Path) -> None:
    plain, pictured = rows("hle", hle)
    assert plain.messages is not None and pictured.messages is not None
    assert all(word in plain.messages[0]["content"] for word in ("Explanation:", "Answer:", "Confidence:"))
    assert plain.messages[1] == {"role": "user", "content": "How many?"}
    assert [part["type"] for part in pictured.messages[1]["content"]] == ["image_url", "text"]
    assert "rationale" not in json.dumps(plain.meta)
    assert [row.id for row in rows("hle_text", hle)] == ["a"]


def test_the_judge_of_the_last_exam_is_asked_for_answer_and_confidence(hle: Path) -> None:
    text = asked("hle_llmjudge", rows("hle", hle)[1], "Answer: A ring\nConfidence: 80%")
    assert all(word in text for word in ("What is shown?", "A ring", "extracted_final_answer", "confidence: "))
    assert "base64" not in text


def test_pairs_of_one_s_own_are_compared_with_the_answer_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text('{"question": "Why?", "answer": "Because."}\n')
    (row,) = rows(f"pairs:{tmp_path / 'own.jsonl'}", tmp_path)
    text = asked("pairs", row, "For a reason.")
    assert text.index("For a reason.") < text.index("Because.") and panel("pairs").judging.swap


def test_mt_bench_is_graded() -> None:
    assert panel("mtbench_gen").contracts["judge"].most == 10
