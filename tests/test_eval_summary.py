"""From scored answers to figures of a data set, groups and tables, against numbers worked out by hand."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from evaluators.errors import EvaluationError
from evaluators.scored import Scored, is_truncated
from evaluators.statistics import grid, summary
from evaluators.statistics.figures import result_of
from evaluators.statistics.grid import Column
from evaluators.statistics.groups import Member, group_of
from evaluators.statistics.result import Measure, Result, decode, encode


def line(at: int, score: float | None = 1.0, **given: Any) -> Scored:
    known: dict[str, Any] = {"prediction": "text", "extracted": "A", "finish_reason": "stop"}
    return Scored(id=str(at), score=score, **{**known, **given})


# Ten answers of every kind: 1 failed, 1 empty, 3 truncated (1 right, 1 cut off in its reasoning), 1 whose evaluator
# failed, 4 that came to their end, of which 2 are right and in 1 nothing was found.
MIXED = [
    line(0, None, error="timeout", prediction=None, extracted=None, finish_reason=None),
    line(1, 0.0, prediction=" ", extracted=None),
    line(2, 1.0, finish_reason="length"),
    line(3, 0.0, finish_reason="length"),
    line(4, 0.0, finish_reason="length", cut_off=True, extracted=None, empty=True),
    line(5, None, metric_error="ValueError: no reference", extracted=None),
    line(6),
    line(7),
    line(8, 0.0),
    line(9, 0.0, extracted=None),
]


def figures(lines: Sequence[Scored], model: str = "m", dataset: str = "d", **given: Any) -> Result:
    return result_of(lines, model=model, dataset=dataset, **given)


def several(values: Sequence[float], model: str, dataset: str = "d", **given: Any) -> Result:
    return figures([line(at, value) for at, value in enumerate(values)], model, dataset, **given)


def cells(row: str) -> list[str]:
    return row.split()


def by_subset(model: str = "m", **shares: int) -> Result:
    """Subsets of ten answers, of which so many are right."""
    lines = [line(at, float(at < right), subset=name) for name, right in shares.items() for at in range(10)]
    return figures(lines, model, groups={"both": ["a", "b"], "more": ["b", "c", "x"]})


def test_counts_of_all_that_can_happen_to_an_answer() -> None:
    counts = figures(MIXED).counts
    assert (counts.items, counts.answers, counts.failed, counts.empty, counts.truncated) == (10, 10, 1, 2, 3)
    assert (counts.cut_off, counts.metric_errors, counts.not_extracted) == (1, 1, 1)
    assert counts.extracted_share == pytest.approx(5 / 6)  # of 2, 3, 6, 7, 8, 9


def test_the_same_score_over_other_answers() -> None:
    result = figures(MIXED)
    assert result.views.strict.value == pytest.approx(2 / 9)  # all but number 5, whose evaluator failed
    assert result.views.lenient.value == pytest.approx(3 / 9)
    assert result.views.completed.value == pytest.approx(2 / 4)  # 6, 7, 8, 9
    assert result.measures[0].value == result.views.strict.value
    assert figures(MIXED, truncated="scored").measures[0].value == result.views.lenient.value


def test_an_answer_whose_evaluator_failed_is_in_no_denominator_and_said_so() -> None:
    result = figures(MIXED)
    assert (result.measures[0].items, result.measures[0].note) == (9, "over 9 of 10 items")
    assert result.notes == ["1 answers in which the evaluator failed are in no denominator"]
    assert result.items.scores[5] is None


def test_in_perplexity_mode_a_request_for_one_token_is_not_a_truncated_answer() -> None:
    result = figures([line(0, finish_reason="length"), line(1, 0.0, finish_reason="length")], mode="ppl")
    assert result.measures[0].value == 0.5


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "max_output_tokens"])
def test_services_have_several_words_for_too_long(reason: str) -> None:
    assert is_truncated(line(0, finish_reason=reason))
    assert not is_truncated(line(0, finish_reason=reason, error="broken"))


def test_an_answer_of_tool_calls_is_not_empty() -> None:
    assert figures([line(0, prediction=None, empty=False)]).counts.empty == 0
    assert figures([line(0, prediction=None)]).counts.empty == 1


def test_scores_by_finish_reason() -> None:
    found = {one.label: (one.answers, one.score) for one in figures(MIXED).by_finish}
    assert found == {"stop": (6, 2 / 5), "length": (3, 1 / 3), "failed": (1, None)}


def test_scores_by_length() -> None:
    lines = [line(at, float(at < 4), prediction="x" * (at + 1), reasoning="y" * 10) for at in range(8)]
    found = [(one.label, one.shortest, one.longest, one.answers, one.score) for one in figures(lines).by_length]
    assert found == [
        ("shortest quarter", 11, 12, 2, 1.0),
        ("second quarter", 13, 14, 2, 1.0),
        ("third quarter", 15, 16, 2, 0.0),
        ("longest quarter", 17, 18, 2, 0.0),
    ]


def test_answers_of_one_length_are_one_slice() -> None:
    assert [one.answers for one in figures([line(at) for at in range(5)]).by_length] == [5]


def test_parts_have_the_denominator_of_the_score_where_all_answers_have_them() -> None:
    lines = [line(0, parts={"loose": 1.0}), line(1, 0.0, parts={"loose": 1.0}), line(2, None, error="timeout")]
    found = {one.name: one for one in figures(lines).measures}
    assert found["loose"].value == pytest.approx(2 / 3)
    assert found["loose"].items == 3


def test_parts_that_only_some_answers_have_or_that_are_no_shares_are_means_over_those() -> None:
    lines = [line(0, parts={"bits": 1.5, "few": 1.0}), line(1, parts={"bits": 2.5}), line(2, None, error="timeout")]
    found = {one.name: one for one in figures(lines).measures}
    assert (found["bits"].value, found["bits"].unit, found["bits"].note) == (2.0, "number", "over 2 of 3 items")
    assert (found["few"].value, found["few"].items) == (1.0, 1)


def test_totals_are_further_figures_without_interval() -> None:
    found = figures([line(0)], totals={"bleu": 34.2, "error": 0.1}, plain=["other"]).measures[1:]
    assert [(one.name, one.value, one.low, one.unit) for one in found] == [
        ("bleu", 34.2, None, "number"),
        ("error", 0.1, None, "share"),
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "'d' has no answers of model 'm'"),
        ([line(0), line(0)], "two answers have id '0' and repeat 0"),
        ([line(0, None)], "answer 0 to '0' has no score, but no error either"),
        ([line(0, 34.2)], "has a score of 34.2; its evaluator has to give one from 0 to 1"),
        ([line(0, float("nan"))], "has a score of nan"),
    ],
)
def test_what_cannot_be_right_is_refused(lines: list[Scored], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        figures(lines)


def test_the_same_id_in_two_subsets_or_two_turns_is_two_items() -> None:
    result = figures([line(0, subset="a"), line(0, 0.0, subset="b"), line(0, 0.0, subset="b", turn=1)])
    assert result.counts.items == 3
    assert [(subset.name, subset.measures[0].value) for subset in result.subsets] == [("a", 1.0), ("b", 0.0)]
    assert result.items.ids == ["0", "0", "0 (turn 2)"]


ZERO = Member(0.0, 0.0, 0.4, 0.0, 5)


def test_averages_of_a_group() -> None:
    members = {"a": Member(0.8, 0.6, 0.9, 0.1, 10), "b": Member(0.5, 0.1, 0.9, 0.2, 30), "c": ZERO}
    found = group_of("g", ["a", "b", "a"], members)
    assert (found.members, found.missing, found.items) == (["a", "b"], [], 40)
    assert found.naive.value == pytest.approx(0.65)
    assert found.naive.error == pytest.approx((0.1**2 + 0.2**2) ** 0.5 / 2)
    assert found.weighted.value == pytest.approx((0.8 * 10 + 0.5 * 30) / 40)
    assert found.weighted.error == pytest.approx(((0.1 * 10) ** 2 + (0.2 * 30) ** 2) ** 0.5 / 40)
    assert found.naive.low == pytest.approx(0.65 - (0.2**2 + 0.4**2) ** 0.5 / 2)
    assert found.naive.high == pytest.approx(0.65 + (0.1**2 + 0.4**2) ** 0.5 / 2)
    assert found.harmonic == pytest.approx(2 / (1 / 0.8 + 1 / 0.5))
    assert found.deviation == pytest.approx(0.15)
    assert found.sum == pytest.approx(1.3)


def test_the_harmonic_mean_is_nothing_as_soon_as_one_member_is() -> None:
    assert group_of("g", ["a", "b"], {"a": Member(0.8, 0.6, 0.9, 0.1, 10), "b": ZERO}).harmonic == 0.0


def test_a_group_is_computed_from_what_is_there_and_says_what_is_not() -> None:
    groups = {group.name: group for group in by_subset(a=8, b=5, c=1).groups}
    assert list(groups) == ["all subsets", "both", "more"]
    assert groups["all subsets"].naive.value == pytest.approx(14 / 30)
    assert (groups["more"].members, groups["more"].missing) == (["b", "c"], ["x"])
    assert groups["more"].naive.value == pytest.approx(0.3)


def test_a_group_of_nothing_has_no_figures() -> None:
    found = group_of("g", ["x"], {})
    assert (found.missing, found.naive.value, found.weighted.value, found.harmonic, found.sum) == (["x"], *[None] * 4)


def test_groups_can_be_over_data_sets() -> None:
    results = [several([1, 1, 0, 0], "m", "one"), by_subset(a=8, b=5)]
    found = summary.as_json(results, {"mine": ["one", "d/a", "two"]})["groups"][-1]
    assert (found["dataset"], found["model"], found["group"]["missing"]) == (None, "m", ["two"])
    assert found["group"]["naive"]["value"] == pytest.approx(0.65)


def test_subsets_all_of_whose_answers_are_right_do_not_make_a_group_sure() -> None:
    group = by_subset(a=10, b=10).groups[0]
    assert (group.naive.value, group.naive.high) == (1.0, 1.0)
    assert group.naive.low == pytest.approx(1 - 0.2775 / 2**0.5, abs=1e-4)


def test_a_result_comes_back_from_its_file() -> None:
    result = by_subset(a=8, b=5)
    content = encode(result)
    assert decode(content, "d.json") == result
    assert content.count(b"\n") == content[: content.rindex(b'"items": {')].count(b"\n") + 2
    with pytest.raises(EvaluationError, match=r"d\.json holds no result"):
        decode(content[:-3], "d.json")


TWO = [several([1] * 6 + [0] * 4, "alpha", version="1a2b"), several([1] * 9 + [0], "beta", version="1a2b")]


def test_a_table_of_one_model_has_score_and_interval_apart() -> None:
    lines = summary.text(TWO[:1]).splitlines()
    assert lines[2].split() == cells("dataset version metric mode n failed extracted % alpha 95 % interval")
    assert lines[4].split() == cells("d 1a2b accuracy gen 10 0 100.0 60.0 [31.3, 83.2]")


def test_a_table_of_models_has_a_column_for_each() -> None:
    row = summary.text(TWO).splitlines()[4].split()
    assert row == cells("d 1a2b accuracy gen 10 0 100.0 60.0 [31.3, 83.2] 90.0 [59.6, 98.2]")


def test_models_are_compared_in_words() -> None:
    assert "- beta against alpha on d: not significantly different, +30.0 points" in summary.text(TWO)


def test_what_was_asked_differently_is_in_rows_of_its_own() -> None:
    results = [TWO[0], several([1] * 10, "beta", version="other")]
    rows = [row.split() for row in summary.text(results).splitlines()[4:6]]
    assert rows[0] == cells("d 1a2b accuracy gen 10 0 100.0 60.0 [31.3, 83.2] -")
    assert rows[1] == cells("other accuracy gen 10 0 100.0 - 100.0 [72.2, 100.0]")


def test_counts_that_differ_between_models_are_a_range() -> None:
    failed = figures([line(0, None, error="timeout"), *(line(at) for at in range(1, 10))], "beta", version="1a2b")
    assert summary.text([TWO[0], failed]).splitlines()[4].split()[4:9] == cells("10 0 to 1 100.0")


def test_two_results_of_one_model_are_refused() -> None:
    with pytest.raises(EvaluationError, match="'alpha' has two results of 'd'"):
        summary.text([TWO[0], TWO[0]])


def test_of_k_answers_people_see_the_largest_k_and_programs_all() -> None:
    lines = [line(at, float(repeat > at), repeat=repeat) for at in range(2) for repeat in range(4)]
    result = figures(lines, repeats=4)
    shown = summary.text([result])
    assert "pass@4" in shown and "pass@2" not in shown and "G-Pass" not in shown
    assert "pass@2" in summary.csv_text([result]) and "G-Pass@2" in summary.csv_text([result])


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_long_names_fit_the_terminal(width: int) -> None:
    names = ["organisation/a-model-with-a-long-name-70b-instruct-2507", "模型" * 20, "x" * 60]
    data = "a_data_set_with_a_long_name_5_shot_cot_chat_prompt_gen"
    shown = summary.text([several([1, 0, 1], name, data) for name in names], width)
    tables = shown[: shown.index("Differences between models")]
    assert max(cell_len(row) for row in tables.splitlines()) <= max(width, 80)
    assert "".join(tables.split()).count("66.7[20.8,93.9]") == 3


def test_a_table_without_a_width_is_in_one_piece() -> None:
    shown = summary.text([several([1, 0, 1], f"model-{at:02}", "d") for at in range(12)], 0)
    assert shown.splitlines()[4].count("66.7") == 12


def test_names_are_folded_where_they_have_a_joint() -> None:
    assert grid.folded("long_name-of/model", 10) == ["long_name-", "of/model"]
    assert grid.folded("evaluator failed", 9) == ["evaluator", "failed"]
    assert grid.folded("模型模型模型", 5) == ["模型", "模型", "模型"]


def test_foreign_names_can_do_nothing_to_a_terminal_or_to_markdown() -> None:
    columns = [Column("name", fixed=True, name=True), Column("n")]
    assert "\\x1b[31m|\\u202eb" in grid.text(columns, [["\x1b[31m|\u202eb", "1"]], 80)
    assert grid.markdown(columns, [["a|b <i>\nc", "1"]]).splitlines()[2] == "| a\\|b \\<i\\> c | 1 |"


def test_markdown_has_the_tables_with_details() -> None:
    shown = summary.markdown(TWO)
    assert "| d | 1a2b | accuracy | gen | 10 | 0 | 100.0 | 60.0 [31.3, 83.2] | 90.0 [59.6, 98.2] |" in shown
    assert "## Scores by finish reason" in shown and "## Scores by length" in shown


def test_csv_has_a_line_for_each_figure() -> None:
    rows = list(csv.DictReader(io.StringIO(summary.csv_text([by_subset(a=8, b=5, c=1)]))))
    assert [(row["kind"], row["subset"], row["metric"]) for row in rows[:5]] == [
        ("dataset", "", "accuracy"),
        *(("subset", name, "accuracy") for name in "abc"),
        ("group", "all subsets", "naive average"),
    ]
    assert (rows[1]["m"], rows[1]["m low"], rows[1]["m n"], rows[1]["m failed"]) == ("80.0000", "49.0162", "10", "0")


def test_json_is_unrounded_and_has_everything_but_single_items() -> None:
    found = json.loads(json.dumps(summary.as_json(TWO)))
    assert found["models"] == ["alpha", "beta"]
    assert found["results"][0]["measures"][0]["low"] == pytest.approx(0.3126738)
    assert found["results"][0]["views"]["completed"]["value"] == 0.6
    assert "items" not in found["results"][0]
    assert found["comparisons"][0]["p"] == pytest.approx(2 * 0.5**3)  # 3 items on which they differ


def test_a_measure_without_a_value_is_a_dash() -> None:
    assert summary.figure(Measure(name="x", value=None)) == "-"
    assert summary.figure(Measure(name="x", value=1234.567, unit="number")) == "1235"
    result = figures([line(0, None, metric_error="broken")])
    assert result.measures[0].value is None
    assert summary.text([result]).splitlines()[4].split() == cells("d - accuracy gen 0 0 - -")


def test_where_everything_failed_the_score_is_nothing_and_nobody_is_surprised() -> None:
    result = figures([line(at, None, error="refused", prediction=None) for at in range(3)])
    assert (result.measures[0].value, result.counts.failed, result.counts.extracted_share) == (0.0, 3, None)
    assert result.views.completed.value is None


def test_a_part_or_total_that_is_no_number_is_none() -> None:
    result = figures([line(0, parts={"x": float("nan"), "y": float("inf")})], totals={"z": float("nan")})
    assert [one.value for one in result.measures[1:]] == [None, None, None]


any_line = st.builds(
    Scored,
    id=st.sampled_from("abc"),
    repeat=st.integers(0, 3),
    subset=st.sampled_from(["", "s", "t"]),
    prediction=st.sampled_from([None, "", "text"]),
    extracted=st.sampled_from([None, "A", "B", ["A"]]),
    score=st.sampled_from([0.0, 0.25, 1.0]),
    error=st.sampled_from([None, None, "timeout"]),
    metric_error=st.sampled_from([None, None, "ValueError"]),
    finish_reason=st.sampled_from([None, "stop", "length"]),
    cut_off=st.booleans(),
    parts=st.sampled_from([{}, {"p": 0.5}, {"p": 3.0}]),
)


@given(st.lists(any_line, min_size=1, unique_by=lambda one: (one.subset, one.id, one.repeat)), st.booleans())
def test_whatever_became_of_answers_figures_hold_together(lines: list[Scored], wrong: bool) -> None:
    result = figures(lines, truncated="wrong" if wrong else "scored", groups={"g": ["s", "u"]})
    for one in result.measures:
        if one.value is not None and one.low is not None and one.high is not None:
            assert one.low - 1e-9 <= one.value <= one.high + 1e-9
    counts = result.counts
    assert counts.answers == len(lines) == sum(part.answers for part in result.by_finish)
    assert sum(subset.counts.answers for subset in result.subsets) in (0, len(lines))
    assert decode(encode(result), "x") == result
    assert summary.text([result], 80, details=True) and summary.markdown([result]) and summary.csv_text([result])


def test_a_hundred_thousand_answers_are_summed_up() -> None:
    lines = [line(at // 4, float(at % 3 == 0), repeat=at % 4, subset=f"s{at // 4 % 57}") for at in range(100_000)]
    result = figures(lines, repeats=4)
    assert (result.counts.items, result.counts.answers, len(result.subsets)) == (25_000, 100_000, 57)
    assert result.measures[0].value == pytest.approx(1 / 3, abs=1e-4)
