"""Several answers to each question, and how sure figures are, against numbers worked out by hand."""

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.errors import EvaluationError
from evaluators.scored import Scored
from evaluators.statistics import intervals, repeats, significance
from evaluators.statistics.figures import result_of
from evaluators.statistics.result import Items, Measure, Result


def answers(*items: Sequence[float], extracted: Sequence[Sequence[object]] = ()) -> list[Scored]:
    """Item after item with the scores of its answers."""
    return [
        Scored(
            id=str(item),
            repeat=repeat,
            prediction="text",
            finish_reason="stop",
            score=score,
            extracted=extracted[item][repeat] if extracted else f"{item} {score}",
        )
        for item, scores in enumerate(items)
        for repeat, score in enumerate(scores)
    ]


def figures(lines: Sequence[Scored], ks: Sequence[int] | None = None, n: int = 1) -> dict[str, Measure]:
    found = result_of(lines, model="m", dataset="d", repeats=n, ks=ks)
    return {measure.name: measure for measure in found.measures}


def value(lines: Sequence[Scored], name: str) -> float | None:
    return figures(lines)[name].value


def test_one_item_always_right_and_one_always_wrong_are_not_mixed() -> None:
    lines = answers((1, 1), (0, 0))
    for order in (lines, [lines[at] for at in (0, 2, 1, 3)]):  # by item, and by repeat
        found = figures(order)
        assert {name: found[name].value for name in ("accuracy (avg@2)", "pass@2", "pass^2", "cons@2")} == {
            "accuracy (avg@2)": 0.5,
            "pass@2": 0.5,
            "pass^2": 0.5,
            "cons@2": 0.5,
        }


@pytest.mark.parametrize(
    ("n", "c", "k", "one", "all_of_them", "half"),
    [
        (4, 1, 2, 1 / 2, 0, 1 / 2),  # 6 pairs, 3 of which have the right one
        (4, 2, 2, 5 / 6, 1 / 6, 5 / 6),
        (5, 3, 3, 1, 1 / 10, 7 / 10),  # 10 triples: one of three right ones, six of two
        (4, 0, 2, 0, 0, 0),
        (4, 4, 4, 1, 1, 1),
        (3, 1, 1, 1 / 3, 1 / 3, 1 / 3),
    ],
)
def test_figures_of_k_answers(n: int, c: int, k: int, one: float, all_of_them: float, half: float) -> None:
    assert repeats.pass_at_k(n, c, k) == pytest.approx(one)
    assert repeats.pass_hat_k(n, c, k) == pytest.approx(all_of_them)
    assert repeats.g_pass_at_k(n, c, k, 0.5) == pytest.approx(half)


@given(st.integers(1, 7), st.data())
def test_figures_of_k_answers_are_means_over_all_choices_of_k(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    drawn = [sum(chosen) for chosen in itertools.combinations([1] * c + [0] * (n - c), k)]
    assert repeats.pass_at_k(n, c, k) == pytest.approx(np.mean([right > 0 for right in drawn]))
    assert repeats.pass_hat_k(n, c, k) == pytest.approx(np.mean([right == k for right in drawn]))
    for tau in (0.25, 0.5, 0.6, 1.0):
        reached = [right >= max(1, math.ceil(tau * k - 1e-9)) for right in drawn]
        assert repeats.g_pass_at_k(n, c, k, tau) == pytest.approx(np.mean(reached))


@pytest.mark.parametrize(
    ("extracted", "position"),
    [
        (["A", "B", "B"], 1),
        (["A", "B"], 0),  # a tie: what was said first
        (["B", "A", "A", "B"], 0),
        ([None, None, "C"], 2),
        ([None, None], None),
        ([" A", "B", "A "], 0),
        ([["A", "C"], ["C", "A"], ["C", "A"]], 1),
        ([1, "1", "1"], 1),
        (["2", "1/2", "0.5"], 1),  # numbers by their value
        (["2", "$\\dfrac12$", "\\frac{1}{2}"], 1),
        (["50%", "0.5", "1/2"], 1),
    ],
)
def test_the_vote_is_over_what_answers_say(extracted: list[object], position: int | None) -> None:
    assert repeats.vote(extracted) == position


def test_a_vote_can_be_wrong_where_most_agree_on_a_wrong_answer() -> None:
    lines = answers((1, 0, 0), (1, 0, 0), extracted=(("A", "B", "B"), ("A", "B", "C")))
    assert value(lines, "cons@3") == 0.5  # B wins the first; of A, B, C each once the first is A
    assert value(lines, "pass@3") == 1.0


def test_a_vote_of_fewer_than_all_is_the_mean_over_blocks() -> None:
    lines = answers((1, 0, 0, 1, 1), extracted=(("A", "B", "C", "A", "A"),))
    assert figures(lines, ks=(2,))["cons@2"].value == 0.5  # A B, C A; the fifth is left over
    assert figures(lines, ks=(1,))["cons@1"].value == pytest.approx(0.6)


def test_failed_answers_are_wrong_ones_without_a_vote() -> None:
    lines = answers((1, 0), extracted=(("A", "B"),))
    lines += [Scored(id="0", repeat=at, error="timeout", extracted="B") for at in (2, 3)]
    found = figures(lines)
    assert found["accuracy (avg@4)"].value == 0.25
    assert found["pass@4"].value == 1.0
    assert found["cons@4"].value == 1.0  # A and B have one vote each, A came first


def test_items_with_fewer_than_k_answers_are_left_out_and_counted() -> None:
    result = result_of(answers((1, 0, 0), (1, 1)), model="m", dataset="d", repeats=3)
    found = {measure.name: measure for measure in result.measures}
    assert found["accuracy (avg@3)"].value == pytest.approx((1 / 3 + 1) / 2)
    assert (found["pass@3"].value, found["pass@3"].items, found["pass@3"].note) == (1.0, 1, "over 1 of 2 items")
    assert found["pass@2"].value == pytest.approx((2 / 3 + 1) / 2)
    assert result.counts.incomplete_items == 1
    assert "1 of 2 items have fewer than 3 scored answers" in result.notes[0]


@pytest.mark.parametrize("scores", [(1, 0), (0.5, 0.25)])
def test_more_than_all_answers_are_refused(scores: tuple[float, ...]) -> None:
    with pytest.raises(EvaluationError, match=r"k = 3 of pass@k is not in 1\.\.2"):
        figures(answers(scores), ks=(3,))


def test_graded_scores_have_an_average_but_no_pass() -> None:
    assert list(figures(answers((0.5, 1), (0.25, 0)))) == ["accuracy (avg@2)"]


def test_the_standard_error_is_that_of_items_not_of_answers() -> None:
    found = figures(answers((1, 1, 1, 1), (0, 0, 0, 0), (1, 1, 1, 1), (0, 0, 0, 0)))["accuracy (avg@4)"]
    assert found.error == pytest.approx(math.sqrt(1 / 3) / 2)  # of 1, 0, 1, 0; 16 answers would give 0.129
    assert found.items == 4


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (30, 30, 0.8865, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_interval(right: int, n: int, low: float, high: float) -> None:
    assert intervals.wilson(right / n, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042)]
)
def test_quantiles_of_student_t(freedom: int, quantile: float) -> None:
    assert intervals.student(freedom) == pytest.approx(quantile, rel=1.5e-3)


def test_answers_that_repeat_each_other_make_nothing_surer() -> None:
    once = figures(answers(*[(at % 2,) for at in range(40)]))["accuracy"]
    four = figures(answers(*[(at % 2,) * 4 for at in range(40)]))["accuracy (avg@4)"]
    assert once.low is not None and four.low is not None
    assert four.low == pytest.approx(once.low, abs=0.01)


def test_an_interval_of_items_that_are_all_alike_is_that_of_as_many_answers() -> None:
    found = figures(answers(*[(1, 1, 1)] * 30))["accuracy (avg@3)"]
    assert (found.low, found.high) == pytest.approx((0.8865, 1.0), abs=1e-4)


def test_figures_beyond_a_share_have_an_interval_by_t() -> None:
    found = intervals.of_numbers(np.array([1.0, 2.0, 3.0]))
    assert (found.low, found.high) == pytest.approx((2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5), abs=1e-3)


# Share of intervals that hold the truth: the binomial distribution in whole numbers, summed over all counts of right
# answers for which (share - p)^2 <= z^2 p (1 - p) / n.
@pytest.mark.parametrize(
    ("n", "p", "coverage"),
    [
        *((30, 0.5, 0.9572), (30, 0.9, 0.9742), (30, 0.99, 0.9639)),
        *((100, 0.5, 0.9431), (100, 0.9, 0.9364), (100, 0.99, 0.9206)),
        *((1000, 0.5, 0.9463), (1000, 0.9, 0.9491), (1000, 0.99, 0.9635)),
    ],
)
def test_coverage_of_wilson_intervals(n: int, p: float, coverage: float) -> None:
    held = 0.0
    for right in range(n + 1):
        low, high = intervals.wilson(right / n, n)
        log = math.lgamma(n + 1) - math.lgamma(right + 1) - math.lgamma(n - right + 1)
        held += math.exp(log + right * math.log(p) + (n - right) * math.log(1 - p)) * (low <= p <= high)
    assert held == pytest.approx(coverage, abs=1e-4)


def coverage_of(items: int, p: float, alike: float, trials: int = 600) -> float:
    """Of intervals from 4 answers to each item, whose chances of a right one are Beta with this correlation."""
    rng = np.random.default_rng(7)
    size = 1 / alike - 1
    chances = rng.beta(p * size, (1 - p) * size, (trials, items))
    found = [intervals.of_shares(row, False) for row in rng.binomial(4, chances) / 4]
    return float(np.mean([low <= p <= high for low, high, _, _ in found if low is not None and high is not None]))


@pytest.mark.parametrize("items", [30, 100, 1000])
@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
def test_coverage_with_repeats(items: int, p: float) -> None:
    assert 0.93 <= coverage_of(items, p, 0.3) <= 0.98


def items_of(scores: Sequence[float | None], names: Sequence[str] | None = None, n: int = 1) -> Items:
    ids = list(names or map(str, range(len(scores))))
    return Items(ids=ids, subsets=[0] * len(ids), names=[""], scores=list(scores), answers=[n] * len(ids))


def scored_by(model: str, scores: Sequence[float]) -> Result:
    return result_of(answers(*[(score,) for score in scores]), model=model, dataset="d")


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [(5, 0, 2 / 32), (0, 0, 1.0), (3, 3, 1.0), (9, 1, 22 / 1024), (1, 9, 22 / 1024), (300, 200, 8.99e-6)],
)
def test_mcnemar_exact(wins: int, losses: int, p: float) -> None:
    assert significance.mcnemar(wins, losses) == pytest.approx(p, rel=0.01)


def test_two_models_on_the_same_items() -> None:
    a, b = scored_by("a", [0] * 9 + [1] * 11), scored_by("b", [1] * 9 + [0] + [1] * 10)
    found = significance.compare_all([a, b])[0]
    assert (found.wins, found.losses, found.items, found.left_out) == (9, 1, 20, 0)
    assert (found.a_score, found.b_score, found.difference) == pytest.approx((0.55, 0.95, 0.4))
    assert found.p == pytest.approx(22 / 1024)
    middle, reach = 8 / 22, 1.96 * math.sqrt((12 / 22 - (8 / 22) ** 2) / 22)  # Bonett and Price
    assert (found.low, found.high) == pytest.approx((middle - reach, middle + reach), abs=1e-4)
    assert significance.in_words(found).startswith("b against a on d: better, +40.0 points (95 % +")


def test_items_that_only_one_model_has_are_left_out() -> None:
    pairs = significance.paired(items_of([1, 0, None], ["x", "y", "z"]), items_of([0, 1, 1, 1], ["y", "x", "z", "w"]))
    assert (pairs.a.tolist(), pairs.b.tolist(), pairs.left_out) == ([1, 0], [1, 0], 2)


def test_no_difference_is_not_significant() -> None:
    found = significance.compare_all([scored_by("a", [0, 1] * 20), scored_by("b", [1, 0] * 20)])[0]
    assert (found.p, found.significant) == (1.0, False)
    assert "not significantly different, +0.0 points" in significance.in_words(found)


def test_differently_asked_answers_are_not_compared() -> None:
    a = result_of(answers((1,), (0,)), model="a", dataset="d", version="1")
    b = result_of(answers((1,), (0,)), model="b", dataset="d", version="2")
    found = significance.compare(a, b)
    assert (found.p, found.difference) == (None, None)
    assert "not compared; they were asked or scored differently" in significance.in_words(found)


def test_permutation_of_signs_is_what_all_signs_give() -> None:
    difference = np.array([0.5, 0.25, 0.75, -0.1, 0.3, 0.2, 0.45])
    every = [abs(np.dot(signs, difference)) for signs in itertools.product((-1, 1), repeat=7)]
    exact = np.mean([total >= difference.sum() - 1e-9 for total in every])
    assert significance.permutation(difference, np.random.default_rng(1)) == pytest.approx(exact, abs=0.006)


@pytest.mark.parametrize("size", [300, 3000])  # few and many different values
def test_graded_scores_agree_with_the_normal_distribution_in_large_numbers(size: int) -> None:
    difference = np.random.default_rng(3).normal(0.02, 0.3, size)
    error = difference.std(ddof=1) / math.sqrt(size)
    p = 2 * NormalDist().cdf(-abs(difference.mean()) / error)
    assert significance.permutation(difference, np.random.default_rng(1)) == pytest.approx(p, abs=0.02)
    low, high = significance.bootstrap(difference, np.random.default_rng(1))
    assert low == pytest.approx(difference.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(difference.mean() + 1.96 * error, abs=0.15 * error)


def test_a_comparison_is_the_same_each_time() -> None:
    a, b = scored_by("a", [0.1, 0.5, 0.7, 0.2]), scored_by("b", [0.3, 0.4, 0.9, 0.6])
    assert significance.compare(a, b) == significance.compare(a, b)


def test_items_that_all_differ_alike_have_no_interval() -> None:
    found = significance.compare(scored_by("a", [0.25, 0.5]), scored_by("b", [0.5, 0.75]))
    assert (found.low, found.high, found.difference) == (None, None, 0.25)
    assert "no interval" in significance.in_words(found)


def test_chance_alone_is_called_significant_in_about_one_of_twenty_comparisons() -> None:
    rng = np.random.default_rng(5)
    noise = rng.choice([-0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75], (200, 40))
    ps = [significance.permutation(row, np.random.default_rng(0)) for row in noise]
    assert 0.02 <= np.mean(np.array(ps) < 0.05) <= 0.08


def test_p_values_are_corrected_for_their_number() -> None:
    assert significance.holm([0.04, 0.01, None, 0.03]) == pytest.approx([0.06, 0.03, None, 0.06])
    assert significance.holm([0.9, 0.8]) == [1.0, 1.0]
