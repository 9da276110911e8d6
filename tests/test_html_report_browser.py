"""report.html in a browser: opened from disk with the network off, read, zoomed and filtered as a person does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import Page, browser
from tests.pages import EVIL, hostile, sweep


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(tmp_path_factory.mktemp("runs") / "hostile")


@pytest.fixture(scope="module")
def opened(page: Path) -> Iterator[Page]:
    """The page in a browser, opened from disk with the network off."""
    with browser() as found:
        found.open(page)
        yield found


def test_a_browser_shows_the_page_without_a_complaint_and_asks_for_nothing(opened: Page, page: Path) -> None:
    assert opened.errors == []
    assert opened.asked == [page.resolve().as_uri()]


def test_every_plot_has_marks(opened: Page) -> None:
    plots = (
        opened.value("plots.map((plot) => [plot.block.name, painted(plot.box.querySelector('canvas'))])")
        if (
            opened.value(
                "window.painted = (canvas) => new Set(new Uint32Array(canvas.getContext('2d')"
                ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size; true"
            )
        )
        else []
    )
    assert len(plots) > 10
    assert [name for name, colours in plots if colours < 5] == []
    assert opened.value("Number(timelines[0].box.dataset.marks)") == 41


def test_nothing_of_the_hostile_texts_is_an_element_or_has_run(opened: Page) -> None:
    assert opened.value("typeof window.hacked") == "undefined"
    assert opened.value("document.querySelectorAll('script').length") == 4
    assert opened.value("document.querySelectorAll('img, b, iframe').length") == opened.value(
        "document.querySelectorAll('.values b').length"
    )
    assert EVIL.split("\u2028")[0].strip() in opened.value("document.querySelector('h1').textContent")


def test_a_value_shows_under_the_mouse(opened: Page) -> None:
    box = opened.middle("[data-plot=tokens] .u-over")
    opened.mouse("Moved", box["x"], box["y"])
    shown = opened.value("document.querySelector('[data-plot=tokens] .values').textContent")
    assert re.match(r"[\d.]+ to [\d.]+ soutput tokens/s [\d,.]+ tokens/s$", shown)


def test_a_drag_zooms_all_plots_over_time_and_a_double_click_shows_all(opened: Page) -> None:
    box = opened.middle("[data-plot=tokens] .u-over")
    opened.drag((box["left"] + box["width"] * 0.25, box["y"]), (box["left"] + box["width"] * 0.5, box["y"]))
    ranges = opened.value(
        "plots.filter((p) => p.block.time).map((p) => p.range && p.range.map((x) => Math.round(x * 100)))"
    )
    assert len({tuple(one) for one in ranges}) == 1
    assert opened.value("Math.round(timelines[0].view.from * 100)") == ranges[0][0] > 0
    opened.value("document.querySelector('[data-plot=tokens]').closest('figure').querySelector('.all').click()")
    assert opened.value("plots.every((plot) => plot.range === null) && timelines[0].view.from === 0")


def test_the_request_under_the_mouse_is_named_with_its_numbers(opened: Page) -> None:
    box = opened.middle(".timeline")
    at = opened.value(
        "(() => {const s = scaleOf(timelines[0]), r = timelines[0].rows, at = r.id.indexOf(20); "
        "return [s.x(r.sent[at] + 0.03), s.y(timelines[0].lane[at] + 0.5)]})()"
    )
    opened.mouse("Moved", box["left"] + at[0], box["top"] + at[1])
    shown = opened.value("document.querySelector('.timeline .values').textContent")
    assert shown.startswith("request 20")
    assert "first token after 70 ms" in shown


def test_a_drag_over_the_timeline_zooms_it(opened: Page) -> None:
    box = opened.middle(".timeline")
    opened.drag((box["left"] + 300, box["y"] - 60), (box["left"] + 500, box["y"] + 60))
    view = opened.value("timelines[0].view")
    assert 0 < view["from"] < view["to"] < 0.53
    assert view["low"] > 0
    opened.value("look(timelines[0], timelines[0].full)")


def test_values_are_read_and_plots_zoomed_by_keys_alone(opened: Page) -> None:
    opened.value("document.querySelector('[data-plot=ttft]').focus()")
    for key in ("ArrowRight", "ArrowRight", "+"):
        opened.key(key)
    assert opened.value("plots[0].range !== null")
    assert re.match(r"\d+ ms: from sent [\d.]+ %", opened.value("plots[0].said.textContent"))
    opened.key("0")
    assert opened.value("plots[0].range") is None


def test_a_definition_shows_when_its_label_has_the_focus(opened: Page) -> None:
    opened.value("document.querySelector('.card .term').focus()")
    assert "tokens" in opened.value(
        "document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent"
    )
    opened.key("Escape")
    assert opened.value("document.getElementById('tip').hidden")


def test_answers_are_searched_and_filtered(opened: Page) -> None:
    count = "document.querySelector('.count').textContent"
    assert opened.value(count).startswith("4 answers match")
    opened.value(
        "[...document.querySelectorAll('.filters button')].find((b) => b.textContent.startsWith('empty')).click()"
    )
    assert opened.value(count).startswith("3 answers match")
    opened.value(
        "(() => {const box = document.querySelector('.filters input'); box.value = 'BROKEN'; "
        "box.dispatchEvent(new Event('input'))})()"
    )
    assert opened.value(count).startswith("1 answer matches")


@pytest.mark.parametrize("width", [1440, 900, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_needs_scrolling_sideways(opened: Page, width: int, dark: bool) -> None:
    opened.resize(width, dark=dark)
    assert opened.value("document.documentElement.scrollWidth") <= width
    light = opened.value("getComputedStyle(document.body).backgroundColor === 'rgb(255, 255, 255)'")
    assert light is not dark
    assert opened.errors == []


def test_a_print_is_light_and_without_what_only_a_screen_can_do(opened: Page) -> None:
    opened.resize(1000, dark=True, media="print")
    opened.value("dispatchEvent(new Event('beforeprint'))")
    assert opened.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    opened.value("dispatchEvent(new Event('afterprint'))")
    opened.resize(1440)


GAP = """(async () => {
  const found = plotFigure({ kind: "plot", name: "gap", title: "gap", steps: true, x: [0, 1, 2, 3, 4],
    series: [{ label: "a", values: [1, 2, null, 3], colour: "blue" }], x_label: "s", y_label: "ms" });
  document.getElementById("main").append(found);
  const plot = plots.pop();
  build(plot);
  await new Promise(requestAnimationFrame);
  const at = (x, y) => ["x", "y"].map((axis, place) => plot.chart.valToPos([x, y][place], axis, true));
  const path = stairs(plot.chart, 1, 0, 4).stroke;
  plot.chart.ctx.lineWidth = 3;
  const points = [[0.5, 1], [1.5, 2], [2.5, 2], [3.5, 3]];
  const drawn = points.map((point) => plot.chart.ctx.isPointInStroke(path, ...at(...point)));
  found.remove();
  return drawn;
})()"""


def test_a_step_before_a_gap_is_drawn_and_the_gap_is_not(opened: Page) -> None:
    assert opened.value(GAP) == [True, True, False, True]


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("labels(false)(null, [200.55, 200.56], 0, 0, 0.01)", ["200.55", "200.56"]),
        ("labels(false)(null, [0, 0.0005], 0, 0, 0.0005)", ["0", "0.0005"]),
        ("labels(false)(null, [1500000], 0, 0, 500000)", ["1.5M"]),
        ("labels(true)(null, [0.01385, 0.1, null], 0, 0, 0)", ["", "0.1", ""]),
        ("[tailLabel(5), tailLabel(2)]", ["99.999 %", "99 %"]),
        ("[percent(0.5), percent(0.999996), percent(1)]", ["50 %", "99.9996 %", "100 %"]),
    ],
)
def test_numbers_at_an_axis_are_told_from_each_other(opened: Page, script: str, shown: list[str]) -> None:
    assert opened.value(script) == shown


def test_an_option_in_a_sentence_is_not_cut_at_its_hyphens(opened: Page) -> None:
    script = "make('p', {}, spoken('a - b, --max-tokens 3 or --ramp')).outerHTML"
    option = '<span class="option">{}</span>'.format
    assert opened.value(script) == f"<p>a - b, {option('--max-tokens')} 3 or {option('--ramp')}</p>"


def test_the_page_of_a_sweep_opens_without_a_complaint(tmp_path: Path, opened: Page) -> None:
    opened.open(sweep(tmp_path))
    assert opened.errors == []
    assert opened.value("plots.length") == 7
    assert opened.value("document.querySelector('tbody a').getAttribute('href')") == "concurrency-2/report.html"
    assert 16 < opened.value("plots[0].chart.scales.x.max") < 20
