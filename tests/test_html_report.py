"""report.html: what it holds, what it refuses to let in, and how it is thinned; a browser opens it in another file."""

import base64
import dataclasses
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.analysis.measured import Measured, due_in, select, window
from perfcore.analysis.stats import summary
from perfcore.records import scrapes, store
from perfcore.report import (
    figures,
    html,
    html_blocks,
    html_latency,
    html_samples,
    html_setup,
    html_tables,
    html_time,
    html_timeline,
    html_words,
)
from perfcore.types import Requests
from tests.endtoend import run_here
from tests.pages import EVIL, FAILED, answer, block, held, hostile, made, sweep
from tests.reference.records import MS, run, streamed

LIBRARY = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE.uPlot": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(tmp_path_factory.mktemp("runs") / "hostile")


@pytest.mark.parametrize("name", LIBRARY)
def test_the_library_is_uplot_1_6_32_as_its_makers_published_it(name: str) -> None:
    assert hashlib.sha256((Path(html.__file__).parent / "page" / name).read_bytes()).hexdigest() == LIBRARY[name]


def test_the_page_has_all_its_sections_in_their_order(page: Path) -> None:
    names = [section["name"] for section in held(page)["sections"]]
    wanted = [
        "verdict",
        "numbers",
        "diagnosis",
        "latency",
        "load",
        "timeline",
        "lengths",
        "connections",
        "workers",
        "errors",
    ]
    assert names == [*wanted, "accuracy", "setup"]


def test_nothing_but_the_pages_own_scripts_and_styles_may_run_or_load(page: Path) -> None:
    text = page.read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1]
    for tag in ("script", "style"):
        for content in re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL):
            assert base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() in policy[1]


def test_the_page_names_nothing_to_be_fetched(page: Path) -> None:
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page.read_text(), flags=re.DOTALL)
    assert not re.search(r"\b(src|href|url|import)\s*[=(]\s*.?(https?:)?//", markup)
    assert not re.search(r"<(link|img|iframe|object|embed|base)\b", markup)


def test_no_text_of_others_can_begin_a_tag(page: Path) -> None:
    data = page.read_bytes().partition(figures.START)[2].partition(figures.STOP)[0]
    assert not set(b"<>&") & set(data)
    assert data.isascii()
    assert "window.hacked" in json.dumps(held(page))


@pytest.mark.parametrize("text", [EVIL, "\ud83d", "\u2028\u2029", "\x00\x7f", "]]>", "{{data}}", "\\u003c"])
def test_escaped_text_comes_back_as_it_was(text: str) -> None:
    assert json.loads(html.escaped({"a": [text]})) == {"a": [text]}


def test_a_placeholder_in_a_text_is_a_text() -> None:
    found: dict[str, Any] = {"title": "{{script}}", "sections": [], "terms": {}}
    assert b"<title>{{script}}</title>" in html.page(found)


def test_percentiles_that_the_sample_does_not_allow_are_starred_or_left_out() -> None:
    assert html_latency.cells(np.arange(1, 101) * MS)[3:10] == ["50.50", "75.25", "90.10", "95.05*", "99.01*", "-", "-"]
    assert html_latency.cells(np.arange(100_000) * MS)[9] == "99,989"


def test_a_curve_keeps_both_ends_and_its_shares_are_exact() -> None:
    values = np.sort(np.random.default_rng(1).exponential(100 * MS, 200_000).astype(np.int64))
    drawn = html_latency.panel("ttft", "", [(values, "sent")])
    assert drawn is not None
    x, shares = np.array(drawn["x"]), np.array(drawn["series"][0]["values"])
    assert x.size < 600
    assert x[[1, -1]] == pytest.approx([values.min() / MS, values.max() / MS], rel=1e-6)
    assert shares[-2] < 1
    assert shares == pytest.approx([np.mean(values <= at * MS * (1 + 1e-7)) for at in x], abs=1e-4)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_percentiles_of_an_ascending_sample_are_those_of_numpy(size: int) -> None:
    values = np.sort(np.random.default_rng(size).integers(0, 10**9, size))
    expected = np.percentile(values, [rank / 1000 for rank in html_latency.PERCENTILES.values()])
    assert html_latency.percentiles_of(values) == pytest.approx(expected, rel=1e-12)


def test_two_curves_share_an_axis_and_keep_their_own_shares() -> None:
    drawn = html_latency.panel("ttft", "", [(np.array([1, 2]) * MS, "sent"), (np.array([2, 4]) * MS, "intended")])
    assert drawn is not None
    assert drawn["x"][1:] == [1, 2, 4]
    assert [one["values"] for one in drawn["series"]] == [[0, 0.5, 1, 1], [0, 0, 0.5, 1]]


@pytest.mark.parametrize(
    ("x", "drawn"),
    [([10.0, 20.0], [9.8, 10, 20]), ([0.001, 20.0], [0.0009, 0.001, 20]), ([0.0, 5.0], [0, 5]), ([5.0], [4.5, 5, 5.5])],
)
def test_a_distribution_begins_before_its_first_value(x: list[float], drawn: list[float]) -> None:
    assert html_latency.from_nothing(np.array(x)).tolist() == pytest.approx(drawn)


def test_gaps_of_zero_do_not_keep_a_long_tail_from_its_logarithmic_axis() -> None:
    assert html_latency.wide(np.sort(np.array([0.0] * 10 + [10.0] * 100 + [300.0])))
    assert not html_latency.wide(np.zeros(5))


def test_percentiles_of_a_step_take_as_many_values_as_those_of_the_table() -> None:
    step = np.repeat([0, 1, 2], [1, 20, 100])
    found = html_time.stepwise(np.arange(121.0), step, 3, (50, 90, 99, 100))
    known = [[True, True, True], [False, True, True], [False, False, True], [True, True, True]]
    assert np.isfinite(found).tolist() == known


def test_the_times_of_a_run_of_days_fit_into_the_timeline() -> None:
    day_ns = 86_400 * 10**9
    assert html_timeline.unit_of(day_ns // 24) == html_timeline.UNIT_NS
    assert 10 * day_ns // html_timeline.unit_of(10 * day_ns) <= html_timeline.LARGEST


def test_few_tokens_are_not_cut_into_hundreds_of_steps(page: Path) -> None:
    assert len(block(page, "tokens")["series"][0]["values"]) <= 400 / html_time.TOKENS_PER_STEP + 1


def early(page: Path) -> tuple[Requests, Measured]:
    """All requests of the run of a page, and those of a window: two that were answered and one that failed."""
    requests = store.build(page.parent).requests
    return requests, due_in(requests, select(requests), 0, 15 * MS)


def test_lengths_are_of_the_requests_that_are_measured(page: Path) -> None:
    plots = html_tables.lengths(*early(page), {"lengths": None})
    assert [sum(found["series"][0]["values"]) for found in plots if found] == [2, 2]


def test_messages_are_of_the_requests_that_are_measured(page: Path) -> None:
    requests, shown = early(page)
    assert html_tables.messages(page.parent, shown) is not None
    assert html_tables.messages(page.parent, due_in(requests, select(requests), 10 * MS, 15 * MS)) is None


@pytest.mark.parametrize(
    ("requests", "value", "notes"),
    [
        ({"total": 400, "failed": 49}, "49", ["12.2 % of 400"]),
        ({"total": 7, "failed": 0}, "0", ["of 7"]),
        ({"total": 0, "failed": 0}, "0", []),
    ],
)
def test_how_many_failed_is_a_headline(requests: dict[str, int], value: str, notes: list[str]) -> None:
    found = html_words.failures(requests)
    assert (found["value"], found["notes"]) == (value, notes)


@pytest.mark.parametrize(
    ("n", "p50", "p99"),
    [
        (1, "absent: p50 takes 2 values, and there is 1", "absent: p99 takes 100 values, and there is 1"),
        (7, "of 7 only: moves from run to run", "absent: p99 takes 100 values, and there are 7"),
        (100, None, "of 100 only: moves from run to run"),
    ],
)
def test_a_headline_beyond_all_samples_is_left_out_with_its_reason(n: int, p50: str | None, p99: str) -> None:
    found = summary(np.arange(n, dtype=np.float64))
    for name, said in (("p50", p50), ("p99", p99)):
        card = html_words.card({"latency": {"ttft_ms": found}, "absent": {}}, f"latency.ttft_ms.{name}", "TTFT", "ms")
        assert card["notes"] == ([] if said is None else [said])
        assert (card["value"] == "-") == (said is not None and said.startswith("absent"))


def test_lengths_have_no_ticks_between_whole_tokens() -> None:
    shown = html_tables.histogram("output-lengths", "Lengths", {"got": np.full(3, 8)})
    assert shown is not None
    assert shown["whole"]


def test_a_data_set_is_told_by_its_name_and_what_was_set() -> None:
    settings: dict[str, Any] = {"turns": 4, "count": None, "prefix_weights": [], "kind": "words"}
    assert html_setup.dataset({"name": "synthetic", "settings": settings}) == "synthetic (turns 4, kind words)"
    assert html_setup.dataset("mine.jsonl") == "mine.jsonl"


def test_without_a_script_the_page_says_where_its_numbers_are(page: Path, tmp_path: Path) -> None:
    said = [re.findall("switched off here. ([^<]*)<", one.read_text())[0] for one in (page, sweep(tmp_path))]
    assert said[0] == "The same numbers are in the files .txt and .json beside it."
    assert said[1] == "The same numbers are in summary.txt and summary.json beside it."


def seen_of() -> html_time.Seen:
    """50 requests, each sent 1 ms after the one before, first token after 100 ms, ended after 400."""
    made_run = run(*(streamed(at, at, at + 100, at + 400) for at in range(50)))
    bounds = window(made_run.requests)
    assert bounds is not None
    return html_time.Seen(made_run, select(made_run.requests), bounds, None)


def test_thinning_keeps_failures_and_the_slowest() -> None:
    seen = seen_of()
    requests = seen.run.requests
    first, end, error = requests.first_token_ns.copy(), requests.end_ns.copy(), requests.error_class.copy()
    first[7], end[23], error[31] = requests.sent_ns[7] + 390 * MS, requests.sent_ns[23] + 9_000 * MS, FAILED
    slow = dataclasses.replace(requests, first_token_ns=first, end_ns=end, error_class=error)
    kept = html_timeline.chosen(slow, np.arange(50), 16).tolist()
    assert len(kept) <= 16
    assert {7, 23, 31} <= set(kept)


def test_the_page_says_how_many_requests_of_how_many_are_drawn() -> None:
    found = html_timeline.timeline(seen_of(), most=20)
    assert found is not None
    assert (found["shown"], found["of"]) == (20, 50)


@pytest.mark.parametrize("values", [[0, 5, 254], [-1, 255, 3], [70_000, -1], [4, 4, 4], [-1, -1]])
def test_columns_come_back_as_they_were(values: list[int]) -> None:
    packed = html_timeline.packed(np.array(values))
    assert figures.unpacked(packed, len(values)).tolist() == values


@pytest.mark.parametrize("gap_ns", [1_500, 20 * MS, 3_000 * MS])
def test_a_gap_is_known_to_2_per_cent(gap_ns: int) -> None:
    histogram = np.bincount(html_time.bin_of(np.array([gap_ns])), minlength=html_time.BINS).reshape(1, -1)
    assert html_time.gap_percentile(histogram, 0.99)[0] == pytest.approx(gap_ns / MS, rel=0.02)


def test_events_belong_to_the_attempt_or_turn_that_was_under_way() -> None:
    requests = seen_of().run.requests
    columns: dict[str, Any] = {"request_id": np.array([0, 1, 1, 2]), "sent_ns": np.array([0, 10, 100, 50]) * MS}
    some = dataclasses.replace(requests, **columns)
    starts = html_time.first_rows(some)
    found = html_time.rows_of(some, starts, np.array([0, 1, 1, 1, 2]), np.array([5, 20, 99, 100, 60]) * MS)
    assert found.tolist() == [0, 1, 1, 2, 3]


def test_tokens_and_gaps_over_time_are_those_of_the_events(page: Path) -> None:
    tokens = block(page, "tokens")
    rates = np.array(tokens["series"][0]["values"]) * np.diff(tokens["x"])
    assert rates.sum() == pytest.approx(400, rel=1e-3)
    itl = block(page, "itl-over-time")["series"][0]["values"]
    assert [value for value in itl if value is not None] == pytest.approx([10] * len(itl), rel=0.02)


def test_what_is_absent_has_its_reason(tmp_path: Path) -> None:
    pieces = [answer(number, first_token_ns=-1) for number in range(3)]
    text = json.dumps(held(made(tmp_path, pieces)))
    assert "absent: " in text
    assert "NaN" not in text


def test_a_run_without_a_request_has_a_page(tmp_path: Path) -> None:
    found = held(made(tmp_path, []))
    assert found["verdict"] == "suspect"
    assert "No measured request was recorded with its times." in json.dumps(found)


def test_secrets_stay_out_and_the_command_can_be_pasted(page: Path) -> None:
    code = next(one for one in held(page)["sections"][-1]["blocks"] if one["kind"] == "code")
    assert code["text"].startswith("perfcore stress --prompt '")
    assert code["text"].endswith("'Authorization: ***'")


def test_terms_that_are_named_are_defined(page: Path) -> None:
    found = held(page)
    assert {"latency.ttft_ms", "throughput.output_tokens_per_s", "validity.verdict"} <= found["terms"].keys()
    assert set(html.keys(found["sections"])) == found["terms"].keys()


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ({"prediction": "a", "score": 1.0, "correct": True}, "right"),
        ({"prediction": "a", "score": 0.0, "correct": False}, "wrong"),
        ({"prediction": "a", "score": 0.4, "correct": None}, "graded"),
        ({"prediction": "a", "score": 0.0, "correct": False, "finish_reason": "length"}, "truncated"),
        ({"prediction": "", "score": 0.0, "correct": False}, "empty"),
        ({"error": "reset: gone"}, "failed"),
        ({"prediction": "a", "score": None}, "not scored"),
    ],
)
def test_an_answer_has_one_state(line: dict[str, Any], state: str) -> None:
    assert html_samples.state_of(line) == state


def test_answers_are_cut_and_what_is_left_out_is_said(page: Path) -> None:
    answers = block(page, "answers")
    by_id = {item["id"]: item for item in answers["items"]}
    assert answers["of"] == 4
    assert by_id["big"]["answer"].endswith("… (1,050,000 characters)")
    assert "\ufffd" in by_id["broken"]["answer"]
    assert page.stat().st_size < 400_000


def test_what_servers_told_is_drawn_over_time() -> None:
    told = [
        (
            at * MS,
            f"vllm:num_requests_running {at / 100}\nvllm:kv_cache_usage_perc 0.5\nvllm:generation_tokens_total {at}",
        )
        for at in range(0, 401, 100)
    ]
    blocks = html_tables.servers(scrapes.of_texts("http://h/<b>", told), seen_of(), {"server": None})
    plots = {found["name"]: found for found in blocks if found is not None}
    assert plots["server-load-0"]["series"][0]["values"] == [0, 1, 2, 3, 4]
    assert plots["server-cache-0"]["x"] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert plots["server-rate-0"]["series"][0]["values"] == [1000, 1000, 1000, 1000]


def test_what_was_recognised_is_shown_with_the_next_step() -> None:
    one = {"pattern": "queueing", "cause": "It waits.", "evidence": "24 of 32.", "next": "perfcore stress"}
    found = html_words.causes({"diagnosis": [one]})
    assert found is not None
    assert found["causes"] == [["queueing", "It waits.", "24 of 32.", "perfcore stress"]]


def test_many_answers_of_each_state_are_kept_up_to_the_limit(tmp_path: Path) -> None:
    lines = [{"id": str(at), "prediction": "a", "score": float(at % 2), "correct": bool(at % 2)} for at in range(3000)]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    items, total = html_samples.chosen(tmp_path / "d.jsonl", "d")
    states = [item["state"] for item in items]
    assert total == 3000
    assert (states.count("wrong"), states.count("right")) == (html_samples.MOST, html_samples.MOST)
    assert (
        len(list(html_samples.within([item | {"of": place} for place in "ab" for item in items])))
        == html_samples.IN_ALL
    )


@pytest.mark.parametrize(
    ("value", "shown"), [(1.0, 1), (0.1 + 0.2, 0.3), (123456.7, 123460), (None, None), (np.nan, None)]
)
def test_numbers_are_as_short_as_they_may_be(value: float | None, shown: float | None) -> None:
    assert html_blocks.rounded([value]) == [shown]


def test_the_same_plots_are_drawn_as_png(page: Path) -> None:
    done = run_here("report", page.parent, "--png", "--html")
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert paths[0] == page
    assert {path.stem for path in paths[1:]} >= {"ttft", "itl", "e2el", "in-flight", "tokens", "timeline", "slip"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths[1:])


def test_the_page_of_a_sweep_has_its_points_over_the_load_and_the_way_to_them(tmp_path: Path) -> None:
    page = sweep(tmp_path)
    first = held(page)["sections"][0]["blocks"][0]
    assert first["links"] == ["", "concurrency-2/report.html", ""]
    ttft = block(page, "ttft-over-load")
    assert (ttft["x"], ttft["series"][1]["values"], ttft["wide_x"]) == ([1, 2, 16], [1, 2, 16], True)
    assert {path.stem for path in figures.draw(page)} >= {"ttft-over-load", "throughput-latency"}


def test_shares_are_drawn_as_steps_in_a_png() -> None:
    drawn = html_latency.panel("ttft", "TTFT", [(np.array([10, 20]) * MS, "from sent")])
    assert drawn is not None
    (line,) = figures.curves(drawn).axes[0].get_lines()
    assert line.get_drawstyle() == "steps-post"


def test_lines_of_the_timeline_are_taken_again_when_they_are_free() -> None:
    start = np.array([0.0, 1.0, 2.0, 3.0])
    identity = np.array([0, 1, 0, 2])  # the turns of conversation 0 stay on its line
    assert figures.lanes(identity, start, start + np.array([1, 1, 2, 1])).tolist() == [0, 1, 0, 1]
