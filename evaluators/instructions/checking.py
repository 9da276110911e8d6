"""What the checkers of IFEval and IFBench share: which instructions a sample has, and how an answer to it is scored.

A rule is a function of a text and of what its instruction was given. It says in a few words what is wrong, and nothing
where the instruction is followed.
"""

import difflib
import functools
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from evaluators.errors import EvaluationError
from evaluators.sample import Sample, Verdict

Rule = Callable[..., str]
EMPTY = "the answer is empty"


class Instruction(NamedTuple):
    """One of a sample's instructions, ready to be checked."""

    name: str
    rule: Rule
    given: dict[str, Any]


def unless(followed: bool, wrong: str) -> str:
    """What a rule says."""
    return "" if followed else wrong


def verdict(text: str, sample: Sample, rules: Mapping[str, Rule]) -> Verdict:
    """Score 1 where the text follows all instructions as it stands; an empty one follows none.

    Parts: `prompt_level_strict` and `prompt_level_loose`, 1 or 0, and `inst_per_prompt_strict` and
    `inst_per_prompt_loose`, the share of the sample's instructions that are followed. Raises EvaluationError for an
    instruction that has no rule, and for what a rule cannot be given.
    """
    asked = instructions(sample, rules)
    wrong = [problem(one, text) for one in asked]
    forms = variants(text)[1:]
    loose = [not said or any(not problem(one, form) for form in forms) for one, said in zip(asked, wrong, strict=True)]
    strict = [not said for said in wrong]
    return Verdict(
        score=float(all(strict)),
        extracted=[one.name for one, said in zip(asked, wrong, strict=True) if said],
        rule="" if not all(loose) else "strict" if all(strict) else "loose",
        why="; ".join(f"{one.name}: {said}" for one, said in zip(asked, wrong, strict=True) if said),
        parts={
            "prompt_level_strict": float(all(strict)),
            "prompt_level_loose": float(all(loose)),
            "inst_per_prompt_strict": sum(strict) / len(strict),
            "inst_per_prompt_loose": sum(loose) / len(loose),
        },
    )


def problem(instruction: Instruction, text: str) -> str:
    """What is wrong with a text, nothing where it follows the instruction."""
    return instruction.rule(text, **instruction.given) if text.strip() else EMPTY


def variants(text: str) -> list[str]:
    """The eight texts that count in loose mode, each once and the text itself first (Zhou et al. 2023, section 3).

    They are without the first line, without the last, without both, and all four without asterisks.
    """
    lines = text.split("\n")
    cuts = [text, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*cuts, *(cut.replace("*", "") for cut in cuts)]))


def instructions(sample: Sample, rules: Mapping[str, Rule]) -> list[Instruction]:
    """The instructions in the columns `instruction_id_list` and `kwargs` of a sample; raises EvaluationError."""
    names = names_of(sample)
    given = listed(sample, "kwargs")
    if len(given) != len(names):
        raise EvaluationError(
            f"{place(sample)} has {len(names)} instructions, but {len(given)} kwargs; correct the row"
        )
    return [
        Instruction(name, rule_of(name, rules, sample), arguments(name, rules[name], one, sample))
        for name, one in zip(names, given, strict=True)
    ]


def names_of(sample: Sample) -> list[str]:
    """The ids of a sample's instructions; raises EvaluationError where it has none."""
    names = listed(sample, "instruction_id_list")
    if not names:
        raise EvaluationError(f"{place(sample)} has no instructions in instruction_id_list; correct the row")
    return [str(name) for name in names]


def listed(sample: Sample, column: str) -> list[Any]:
    """A column with a list, as it is or as JSON; raises EvaluationError."""
    value = sample.meta.get(column)
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            value = None
    if not isinstance(value, list):
        raise EvaluationError(f"{place(sample)} has no list in the column {column}; keep that column in `meta`")
    return value


def rule_of(name: str, rules: Mapping[str, Rule], sample: Sample) -> Rule:
    """The rule of an instruction; raises EvaluationError where there is none."""
    if name not in rules:
        near = difflib.get_close_matches(name, rules, 1, cutoff=0.0)[0]
        raise EvaluationError(f"{place(sample)}: no rule checks the instruction {name!r}; the nearest one is {near!r}")
    return rules[name]


def arguments(name: str, rule: Rule, given: Any, sample: Sample) -> dict[str, Any]:
    """What a rule is called with, in its types; nulls and keys that it does not take are left out."""
    if isinstance(given, str):
        given = decoded(given)
    if not isinstance(given, Mapping):
        raise EvaluationError(f"{place(sample)}: kwargs of {name} are no object; correct the row")
    found = {}
    for key, kind in parameters(rule).items():
        if given.get(key) is None:
            raise EvaluationError(f"{place(sample)}: kwargs of {name} lack {key}; correct the row")
        try:
            found[key] = msgspec.convert(given[key], kind, strict=False)  # files of tables have 5.0 for 5
        except msgspec.ValidationError as error:
            raise EvaluationError(f"{place(sample)}: {key} of {name}: {error}; correct the row") from None
    return found


def decoded(text: str) -> Any:
    """The value of a text of JSON, None where it is none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


@functools.cache
def parameters(rule: Rule) -> dict[str, Any]:
    """Types of what a rule takes beside the text, by name."""
    kinds = typing.get_type_hints(rule)
    return {name: kind for name, kind in kinds.items() if name not in ("text", "return")}


def place(sample: Sample) -> str:
    """A sample, as messages name it."""
    return f"sample {sample.id}"


def totals(samples: Sequence[Sample], verdicts: Sequence[Verdict], settings: Any) -> dict[str, float]:
    """`inst_level_strict` and `inst_level_loose`: the share of all instructions, whatever prompt they stand in.

    An answer without parts, such as one that was not looked at, follows none of its instructions.
    """
    counts = [len(names_of(sample)) for sample in samples]
    return {
        f"inst_level_{mode}": share(counts, [one.parts.get(f"inst_per_prompt_{mode}", 0.0) for one in verdicts])
        for mode in ("strict", "loose")
    }


def share(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Mean of shares, each with the weight of its count; 0 of nothing."""
    followed = sum(round(count * part) for count, part in zip(counts, shares, strict=True))
    return followed / sum(counts) if counts else 0.0
