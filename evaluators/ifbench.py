"""IFBench: instructions of 58 further kinds that a program can check (Pyatkin et al. 2025, Generalizing Verifiable
Instruction Following). The rules are in evaluators/instructions; ids and kwargs are those of the data."""

from typing import Any

from evaluators.instructions import counts, layout, tasks, wording
from evaluators.instructions.checking import totals, verdict
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict

RULES = {**counts.RULES, **wording.RULES, **layout.RULES, **tasks.RULES}


def score(text: str, sample: Sample, settings: Any) -> Verdict:
    """Score 1 where all instructions are followed strictly; see evaluators/instructions/checking.py."""
    return verdict(text, sample, RULES)


EVALUATORS = {
    "ifbench": Evaluator(
        score,
        "Instructions that a program can check, the 58 kinds of IFBench's test set.",
        metric="prompt_level_strict",
        totals=totals,
        empty=True,
    )
}
