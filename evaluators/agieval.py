"""The evaluator `agieval`: questions of exams, of which some have several right letters and some a formula."""

from evaluators import choice
from evaluators.registry import Evaluator, NoSettings, evaluator
from evaluators.sample import Sample, Verdict

SEVERAL = frozenset({"jec-qa-kd", "jec-qa-ca", "gaokao-physics"})
CLOZE = frozenset({"math", "gaokao-mathcloze"})
ONE = choice.Choice(options="ABCDEFG", labels="options")
SET = choice.Choice(options="ABCDEFG", labels="options", several=True)


def score(text: str, sample: Sample, settings: NoSettings) -> Verdict:
    """As `choice` scores it, with sets of letters in three subsets, and as `math` does in the two without choices."""
    if sample.subset in CLOZE:
        math = evaluator("math")
        return math.score(text, sample, math.settings())
    found = choice.score(text, sample, SET if sample.subset in SEVERAL else ONE)
    return found._replace(parts={})


EVALUATORS = {"agieval": Evaluator(score, "AGIEval: one letter, a set of letters, or a formula, by its subset.")}
