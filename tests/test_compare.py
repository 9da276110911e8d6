"""`perfcore compare`: differences of runs, how sure they are, and what fails a build."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import compare_truth
from perfcore.analysis import comparison, latency
from perfcore.analysis.comparison import of_intervals, of_samples
from perfcore.analysis.measured import select
from perfcore.analysis.pairing import Sample, sample, taken
from perfcore.errors import UserError
from perfcore.records.reading import read_gaps, read_requests
from perfcore.records.store import build
from perfcore.report.compare_gate import parse
from perfcore.report.compare_metrics import METRICS
from tests.comparing import START, answer, failure, folder, run_of
from tests.endtoend import run_here
from tests.reference.records import MS

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "compare.md"


def values(seed: int, number: int, mean: float = 100.0) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, 5.0, number)]


def whole(numbers: Any) -> Sample:
    return Sample(np.asarray(numbers, np.float64), np.arange(len(numbers)), len(numbers))


def compared(*arguments: object, code: int = 0) -> dict[str, Any]:
    done = run_here("compare", *arguments, "--json")
    assert done.exit_code == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(found: dict[str, Any], name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = found["comparisons"][0]["rows"]
    return next(one for one in rows if one["name"] == name)


def refusal(*arguments: object) -> str:
    done = run_here("compare", *arguments)
    assert done.exit_code == 2
    return done.stderr


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same 60 requests, the second time 10 % slower to the first token."""
    place, first = tmp_path_factory.mktemp("compare"), values(1, 60)
    return run_of(place / "a", first), run_of(place / "b", [1.1 * one for one in first])


def test_slower_run_is_slower_by_as_much_as_it_is(pair: tuple[Path, Path]) -> None:
    found = row(compared(*pair), "ttft_mean")
    assert found["percent"] == pytest.approx(10.0)
    assert found["percent_ci95"] == pytest.approx([10.0, 10.0])
    assert found["paired"] and found["significant"]
    assert found["words"] == "slower by 10 % (10 to 10 %)"


def test_other_direction_is_faster(pair: tuple[Path, Path]) -> None:
    assert row(compared(pair[1], pair[0]), "ttft_p50")["words"].startswith("faster by 9.1 % (")


def test_run_against_itself_differs_in_nothing(pair: tuple[Path, Path]) -> None:
    found = compared(pair[0], pair[0])
    assert {one["words"] for one in found["comparisons"][0]["rows"]} == {"equal"}
    assert found["setup"]["differences"] == []


def test_values_are_those_of_metrics_json(pair: tuple[Path, Path]) -> None:
    kept = json.loads((pair[1] / "metrics.json").read_text())
    found = compared(*pair)
    for name in ("ttft_p90", "tpot_mean", "itl_p50", "e2el_p99", "ttft_from_intended_mean", "slip_mean"):
        _, latency_name, statistic = METRICS[name].key.split(".")
        assert row(found, name)["b"] == pytest.approx(kept["latency"][latency_name][statistic], rel=1e-12)


def test_other_requests_are_not_compared_in_pairs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = run_of(tmp_path / "other", values(2, 60), prompt="another")
    found = compared(pair[0], other)
    assert found["comparisons"][0]["words"] == "the prompts differ"
    assert row(found, "ttft_mean")["paired"] is False
    assert row(found, "ttft_mean")["words"] == "no significant difference"


def test_pairs_are_those_that_ran_in_both(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shorter = run_of(tmp_path / "shorter", values(1, 60)[:50])
    found = compared(pair[0], shorter)["comparisons"][0]
    assert (found["paired"], found["pairs"]) == (True, 50)
    assert found["words"] == "the same 50 requests ran in both (of 60 and 50); latencies are those of them"
    assert next(one for one in found["rows"] if one["name"] == "ttft_mean")["difference"] == 0


def test_too_few_in_common_are_not_compared_in_pairs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    found = compared(pair[0], run_of(tmp_path / "short", values(1, 60)[:20]))["comparisons"][0]
    assert found["paired"] is False
    assert found["words"].startswith("only 20 requests ran in both (of 60 and 20)")


def test_same_runs_always_give_the_same_numbers(pair: tuple[Path, Path]) -> None:
    assert compared(*pair) == compared(*pair)


def test_rates_of_a_stress_run_have_no_interval_and_it_says_why(pair: tuple[Path, Path]) -> None:
    found = row(compared(*pair), "output_tokens_per_s")
    assert found["difference_ci95"] is None and found["significant"] is None
    assert "perfcore steady measures a window" in found["why"]


def test_rates_of_steady_runs_have_the_interval_of_their_windows(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, values(1, 30)) for name in ("a", "b")]
    for run, rate, ends in zip(runs, (100.0, 90.0), ([97.0, 104.0], [87.0, 92.0]), strict=True):
        metrics = json.loads((run / "metrics.json").read_text())
        metrics["throughput"] |= {"output_tokens_per_s": rate, "ci95": {"output_tokens_per_s": ends}}
        (run / "metrics.json").write_text(json.dumps(metrics | {"steady": {"verdict": "steady"}, "window": None}))
    found = row(compared(*runs), "output_tokens_per_s")
    assert found["difference_ci95"] == pytest.approx([-15.0, -10 + 13**0.5])
    assert found["words"].startswith("lower by 10 % (")
    compared(*runs, "--fail-if", "output_tokens_per_s<-3%", "--significant", code=1)


def test_metric_that_one_run_lacks_is_absent_with_its_reason(pair: tuple[Path, Path], tmp_path: Path) -> None:
    failing = folder(tmp_path / "failing", [failure(at) for at in range(30)], [f"prompt {at}" for at in range(30)])
    found = row(compared(pair[0], failing), "ttft_p50")
    assert found["b"] is None and found["difference"] is None
    assert found["why"] == "B has none (no measured request succeeded)"


def test_percentile_with_few_values_beyond_it_has_no_interval(pair: tuple[Path, Path]) -> None:
    found = row(compared(*pair), "ttft_p99")
    assert found["percent"] == pytest.approx(10.0)
    assert (found["percent_ci95"], found["why"]) == (None, "fewer than 10 values lie beyond it")


@pytest.mark.parametrize(
    ("limit", "options", "code"),
    [
        ("ttft_mean>+5%", (), 1),
        ("ttft_mean>+15%", (), 0),
        ("ttft_mean>+5ms", (), 1),
        ("ttft_mean>+0.005s", (), 1),
        ("ttft_mean>+50ms", (), 0),
        ("ttft_p99>+5%", (), 1),
        ("ttft_p99>+5%", ("--significant",), 3),
        ("ttft_mean>+5%", ("--significant",), 1),
        ("ttft_mean<-3%", (), 0),
        ("errors>+0", ("--significant",), 0),
        ("output_tokens_per_s<-50%", (), 0),
        ("output_tokens_per_s<-50%", ("--significant",), 3),
        ("goodput<-3%", (), 3),
        ("score<-1pp", (), 3),
        ("error_rate>+1pp", (), 0),
    ],
)
def test_limits_decide_the_exit_code(pair: tuple[Path, Path], limit: str, options: tuple[str, ...], code: int) -> None:
    assert len(compared(*pair, "--fail-if", limit, *options, code=code)["gates"]) == 1


def test_a_limit_that_is_passed_outdoes_one_that_is_undecided(pair: tuple[Path, Path]) -> None:
    done = run_here("compare", *pair, "--fail-if", "goodput<-3%", "--fail-if", "ttft_mean>+5%")
    assert done.exit_code == 1
    limits = done.stdout.partition("Limits\n")[2]
    assert limits.startswith("undecided  goodput<-3%") and "\nFAIL  ttft_mean>+5%" in limits


def test_growth_from_nothing_is_beyond_any_share(pair: tuple[Path, Path], tmp_path: Path) -> None:
    frames = [answer(at, 100) for at in range(59)] + [failure(59)]
    worse = folder(tmp_path / "worse", frames, [f"prompt {at}" for at in range(60)])
    compared(pair[0], worse, "--fail-if", "errors>+50%", code=1)
    compared(pair[0], worse, "--fail-if", "errors>+1", code=0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("ttft", "is no limit; write one such as"),
        ("ttft>+5%", "ttft of what? Write ttft_mean"),
        ("ttft_p99>5%", "more or less than the first run? Write ttft_p99>+5%"),
        ("ttft_p99>+5", "wants a unit"),
        ("tftf_p99>+5%", "the nearest is 'ttft_p99'"),
        ("error_rate>+5%", "write percentage points"),
        ("errors>+5ms", "'ms' is no unit of errors"),
    ],
)
def test_limits_that_say_too_little_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(UserError, match="--fail-if") as refused:
        parse(text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("name", ["ttft_p99.9", "ttft_p99_9", "TTFT_P99_9"])
def test_percentiles_may_be_written_with_a_point(name: str) -> None:
    assert parse(f"{name}>+5%").metric == "ttft_p99_9"


def test_what_the_configurations_have_different_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    options = {"concurrency": 4, "out": "there", "workers": 2}
    other = run_of(tmp_path / "other", values(1, 60), model="another", options=options)
    setup = compared(pair[0], other)["setup"]
    assert {one["key"]: (one["values"], one["matters"]) for one in setup["differences"]} == {
        "model": (["m", "another"], True),
        "concurrency": ([2, 4], True),
        "workers": ([None, 2], False),
    }
    assert "The configurations differ in model, concurrency:" in setup["warnings"][0]


def test_prompts_that_a_cache_may_know_are_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert any("caches prefixes" in text for text in compared(*pair)["setup"]["warnings"])
    elsewhere = run_of(tmp_path / "other", values(1, 60), url="http://elsewhere/v1")
    assert not any("caches prefixes" in text for text in compared(pair[0], elsewhere)["setup"]["warnings"])


def test_longer_answers_are_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    frames = [answer(at, 100, tokens=6) for at in range(60)]
    longer = folder(tmp_path / "longer", frames, [f"prompt {at}" for at in range(60)])
    warnings = compared(pair[0], longer)["setup"]["warnings"]
    assert "Output tokens a request differ: 5.000 in A, 6.000 in B." in warnings


def test_three_runs_stand_side_by_side_and_each_against_the_first(pair: tuple[Path, Path]) -> None:
    shown = run_here("compare", *pair, pair[0]).stdout
    assert shown.index("Side by side") < shown.index("B against A") < shown.index("C against A")


def test_scores_of_answers_are_compared(pair: tuple[Path, Path], tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, values(1, 12)) for name in ("a", "b")]
    for run, right in zip(runs, (12, 2), strict=True):
        place = run / "eval" / "results" / "m"
        place.mkdir(parents=True)
        (place / "quiz.json").write_text(json.dumps(result(right, 12)))
    found = compared(*runs, "--fail-if", "score<-5pp", "--significant", code=1)
    assert (row(found, "score:quiz")["a"], row(found, "score:quiz")["difference"]) == (
        100.0,
        pytest.approx(-83.333, abs=0.01),
    )
    assert found["accuracy"][0]["words"].startswith("B against A on quiz: worse, -83.3 points")


def result(right: int, items: int) -> dict[str, Any]:
    """What perfcore eval leaves of a quiz."""
    measure = {"name": "accuracy", "value": right / items}
    return {
        "model": "m",
        "dataset": "quiz",
        "metric": "accuracy",
        "counts": {"items": items, "answers": items},
        "measures": [measure],
        "views": dict.fromkeys(("strict", "lenient", "completed"), measure),
        "subsets": [],
        "items": {
            "ids": [str(at) for at in range(items)],
            "subsets": [0] * items,
            "names": [""],
            "scores": [float(at < right) for at in range(items)],
            "answers": [1] * items,
        },
    }


def sweep(parent: Path, loads: dict[int, float], **described: Any) -> Path:
    """A folder of runs, each with its mean TTFT in ms."""
    names = {load: f"concurrency-{load:04}" for load in loads}
    parent.mkdir()
    points = [
        {"name": name, "model": None, "dataset": None, "load": "concurrency", "concurrency": load, "rate": None}
        for load, name in names.items()
    ]
    content = {"schema": "perfcore.series/1", "command": ["perfcore", "stress"], "points": points}
    (parent / "series.json").write_text(json.dumps(content))
    for load, name in names.items():
        run_of(parent / name, values(load, 30, loads[load]), **described)
    return parent


def test_sweeps_are_compared_where_their_loads_agree(tmp_path: Path) -> None:
    first, other = sweep(tmp_path / "x", {1: 100, 2: 100, 4: 100}), sweep(tmp_path / "y", {2: 100, 4: 150, 8: 100})
    found = compared(first, other, "--fail-if", "ttft_mean>+20%", code=1)
    assert [point["point"] for point in found["points"]] == ["concurrency 2", "concurrency 4"]
    assert [gate["verdict"] for gate in found["gates"]] == ["kept", "holds", "undecided"]
    assert found["unmatched"] == ["Only in A (x): concurrency 1", "Only in B (y): concurrency 8"]


def test_load_that_the_other_sweep_lacks_does_not_pass(tmp_path: Path) -> None:
    first, other = sweep(tmp_path / "x", {1: 100, 2: 100}), sweep(tmp_path / "y", {2: 100})
    gate = compared(first, other, "--fail-if", "ttft_mean>+20%", code=3)["gates"][1]
    assert (gate["point"], gate["b"], gate["words"]) == ("concurrency 1", "B", "B has no run of it")
    assert compared(other, first, "--fail-if", "ttft_mean>+20%")["missing"] == []


def test_sweeps_show_what_their_configurations_have_different(tmp_path: Path) -> None:
    first, other = sweep(tmp_path / "x", {1: 100, 2: 100}), sweep(tmp_path / "y", {1: 100, 2: 100}, model="another")
    shown = run_here("compare", first, other).stdout
    assert shown.count("What differs") == 1 and re.search(r"model +m +another", shown)


def test_run_that_is_given_twice_is_told(pair: tuple[Path, Path]) -> None:
    assert any("same folder as A" in text for text in compared(pair[0], pair[0])["setup"]["warnings"])


def test_made_prompts_that_differ_say_how_they_can_be_the_same(tmp_path: Path) -> None:
    made = [{"name": "synthetic", "settings": {"salt": "unique"}}]
    runs = [run_of(tmp_path / name, values(1, 20), prompt=name, datasets=made) for name in ("a", "b")]
    assert "salt=fixed" in compared(*runs)["comparisons"][0]["words"]


def test_plots_are_written(pair: tuple[Path, Path], tmp_path: Path) -> None:
    done = run_here("compare", *pair, "--png", tmp_path / "plots")
    assert done.exit_code == 0
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    assert names == {"compare-latency.png", "compare-timeline.png", "compare-differences.png"}
    sweeps = sweep(tmp_path / "x", {1: 100.0, 2: 120.0}), sweep(tmp_path / "y", {1: 100.0, 2: 100.0})
    run_here("compare", *sweeps, "--png", tmp_path / "load")
    assert (tmp_path / "load" / "compare-load.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert "two runs or more" in refusal(pair[0])
    assert "is not a folder" in refusal(pair[0], tmp_path / "nowhere")
    assert "holds several runs" in refusal(pair[0], sweep(tmp_path / "x", {1: 100.0}))
    assert "no load in common" in refusal(sweep(tmp_path / "y", {2: 100.0}), tmp_path / "x")
    assert "--significant says when" in refusal(*pair, "--significant")


def test_page_lists_every_metric() -> None:
    page = PAGE.read_text()
    rates = [name for name, metric in METRICS.items() if not metric.key.startswith("latency.")]
    assert [name for name in rates if f"`{name}`" not in page] == []
    assert [name for name in latency.LATENCIES if f"`{name.removesuffix('_ms')}`" not in page] == []


def test_columns_read_back_are_those_that_were_written(tmp_path: Path) -> None:
    frames = [
        answer(0, 100),
        failure(1, attempt=0),
        answer(1, 130, attempt=1, due_ns=START + 90 * MS, sent_ns=START + 90 * MS),
    ]
    run = folder(tmp_path / "run", [*frames, answer(2, 110)], ["a", "b", "c"])
    whole_run = build(run, stamps=True)
    again, (gaps, rows) = read_requests(run), read_gaps(run, read_requests(run))
    for name in ("request_id", "first_token_ns", "output_tokens", "phase", "streamed", "due_ns", "new_connection"):
        assert np.array_equal(getattr(again, name), getattr(whole_run.requests, name)), name
    assert [again.error_classes[code] for code in again.error_class] == ["ok", "reset", "ok", "ok"]
    assert np.array_equal(np.sort(gaps), np.sort(whole_run.gaps_ns))
    assert set(rows.tolist()) == {0, 2, 3}


def test_samples_are_those_of_the_metrics(pair: tuple[Path, Path]) -> None:
    requests = read_requests(pair[0])
    one, known = taken(requests, read_gaps(pair[0], requests), None), latency.samples(requests, select(requests))
    for name, expected in known.items():
        assert np.sort(sample(one, name).values) == pytest.approx(np.sort(expected) / MS)


def test_pairs_say_more_than_the_same_runs_unpaired() -> None:
    rng = np.random.default_rng(5)
    lengths = np.exp(rng.normal(size=400))
    one, other = lengths * rng.normal(1, 0.01, 400), 1.05 * lengths * rng.normal(1, 0.01, 400)
    paired = of_samples(whole(one), whole(other), (4.0, 4.0), True, 1)["mean"]
    alone = of_samples(whole(one), whole(other), (4.0, 4.0), False, 1)["mean"]
    assert paired.significant and not alone.significant
    assert paired.absolute == pytest.approx(alone.absolute)


def test_blocks_are_as_long_as_a_turnover_of_the_requests_in_flight() -> None:
    assert [comparison.block_count(n, 10.0) for n in (9, 29, 30, 200, 250, 10_000)] == [0, 2, 3, 20, 12, 20]
    assert of_samples(whole(values(1, 29)), whole(values(2, 29)), (10.0, 10.0), False, 1)["mean"].absolute_ci95 is None


def test_requests_that_share_a_queue_do_not_count_as_independent() -> None:
    rng = np.random.default_rng(3)
    cohorts = np.repeat(rng.normal(100, 10, 40), 25)
    mixed = rng.permutation(cohorts)
    wide = of_samples(whole(cohorts), whole(cohorts + 1), (25.0, 25.0), False, 1)["mean"].absolute_ci95
    narrow = of_samples(whole(mixed), whole(mixed + 1), (1.0, 1.0), False, 1)["mean"].absolute_ci95
    assert wide and narrow
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


@pytest.mark.parametrize("paired", [False, True])
def test_values_of_one_place_in_the_run_do_not_say_how_sure_they_are(paired: bool) -> None:
    opened = [Sample(np.array(values(seed, 16)), np.arange(16), 400) for seed in (1, 2)]
    found = of_samples(opened[0], opened[1], (16.0, 16.0), paired, 1)["mean"]
    assert found.absolute_ci95 is None and found.why == comparison.ONE_PLACE


def test_what_comes_after_the_last_value_makes_no_interval_narrower() -> None:
    short = [Sample(np.array(values(seed, 40)), np.arange(40) * 2, 100) for seed in (1, 2)]
    long = [one._replace(requests=400) for one in short]
    alone, longer = (of_samples(a, b, (33.3, 33.3), False, 1)["mean"] for a, b in (short, long))
    assert alone.absolute_ci95 and longer.absolute_ci95 == pytest.approx(alone.absolute_ci95)


@pytest.mark.parametrize("paired", [False, True])
def test_intervals_hold_the_truth_about_as_often_as_they_say(paired: bool) -> None:
    held = dict.fromkeys(("mean", "p50", "p90"), 0)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        common = rng.normal(size=300) if paired else 0.0
        one, other = (np.exp(common + 0.5 * rng.normal(size=300)) for _ in range(2))
        found = of_samples(whole(one), whole(1.1 * other), (4.0, 4.0), paired, 1)
        for statistic in held:
            ends = found[statistic].relative_ci95
            assert ends
            held[statistic] += ends[0] <= 0.1 <= ends[1]
    assert min(held.values()) >= 53  # of 60; 57 in the mean, and fewer than 53 in 2 of 100 tests


def test_cases_of_the_documented_coverage_run() -> None:
    for name in compare_truth.CASES:
        found = compare_truth.measured(name, 400, 2)
        assert set(found) == {"mean", "p50", "p90"}
        assert all(0 <= held <= 100 and 0 <= width < np.inf for held, width in found.values())


@pytest.mark.parametrize("statistic", ["p50", "p90"])
@pytest.mark.parametrize("paired", [False, True])
def test_far_outliers_do_not_widen_percentiles_that_drift_by_little(statistic: str, paired: bool) -> None:
    rng = np.random.default_rng(1)
    one, other = (
        20 + 0.2 * np.arange(400) / 400 + 0.02 * rng.normal(size=400) + 200 * (rng.random(400) < 0.02) for _ in range(2)
    )
    ends = of_samples(whole(one), whole(other + 2), (8.0, 8.0), paired, 1)[statistic].absolute_ci95
    assert ends and 1.0 < ends[0] <= 2.0 <= ends[1] < 3.0


@pytest.mark.parametrize("size", [500, comparison.ALL + 2000])
def test_percentiles_of_draws_are_those_of_the_blocks_that_were_drawn(size: int) -> None:
    sequence = np.random.default_rng(3).lognormal(size=size)
    own = comparison.cut(comparison.by_size(whole(sequence)), "p90", np.ones(5, dtype=bool))
    drawn = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 0, 2], [0, 1, 1, 1, 1]])
    blocks = [sequence[np.arange(size) * 5 // size == at] for at in range(5)]
    expected = [np.percentile(np.concatenate([np.tile(blocks[at], row[at]) for at in range(5)]), 90) for row in drawn]
    assert comparison.in_draws(own, "p90", drawn.astype(float)) == pytest.approx(expected, rel=0.02)


def test_pairs_of_which_one_has_values_in_one_place_have_no_interval() -> None:
    opened, everywhere = Sample(np.array(values(1, 16)), np.arange(16), 400), whole(values(2, 400))
    found = of_samples(opened, everywhere, (16.0, 16.0), True, 1)["mean"]
    assert (found.absolute_ci95, found.why) == (None, comparison.ONE_PLACE)


def test_interval_of_two_rates_is_that_of_their_distances() -> None:
    found = of_intervals(100.0, 90.0, (97.0, 104.0), (87.0, 92.0), "")
    assert found.absolute == -10.0
    assert found.absolute_ci95 == pytest.approx((-10 - 5.0, -10 + (2**2 + 3**2) ** 0.5))
    assert found.relative_ci95 is not None and found.relative_ci95[0] < -0.1 < found.relative_ci95[1]
