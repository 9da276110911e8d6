"""Accuracy for the page: the tables of an evaluation, and single answers with what was found of them.

Answers are written by models and quoted from files of others: they are cut to a length and travel as text alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluators.statistics.result import COUNTS, VIEWS
from perfcore.report.html_blocks import Block, folded, foreign, lines, table
from perfcore.report.text import NONE, number, visible

SURE = 0.05  # a smaller p is, as in the tables of the summary
BETTER, WORSE = "better", "worse"  # classes of the style of a row
SUMMARY = Path("summary") / "summary.json"
MOST = 600  # answers of one state of one result
IN_ALL = 2_000
TEXT = 1_500  # characters of a prompt, an answer, a reasoning
CHARACTERS = 1_200_000  # of all texts together
LONGEST_LINE = 4 << 20  # bytes; one that is longer is not read
LONGEST = ("length", "max_tokens", "max_output_tokens", "model_length")
SLICES = {"by_finish": "By finish reason", "by_length": "By length", "by_concurrency": "By requests in flight"}
STATES = ("wrong", "empty", "truncated", "failed", "not scored", "right", "graded")


def accuracy(folder: Path) -> Iterator[Block | None]:
    """Blocks of the evaluation in a folder, single answers last; none where it has none."""
    summary = read_json(folder / SUMMARY)
    results = [one for one in summary.get("results") or () if isinstance(one, dict)]
    if not results:
        return
    single = answers(folder / "results", results)
    yield score_table(results, single)
    yield count_table(results)
    yield group_table(summary.get("groups") or ())
    yield folded("Scores by finish reason, length and load", slice_tables(results))
    yield comparison_table([one for one in summary.get("comparisons") or () if isinstance(one, dict)])
    yield lines(notes(results), "faint")
    yield single


def read_json(path: Path) -> dict[str, Any]:
    """What a file holds; empty where there is none that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def score_table(results: Sequence[Mapping[str, Any]], single: Block | None) -> Block | None:
    """Scores with their 95 % intervals, those of subsets under them; a name leads to its answers, where they are."""
    rows = []
    there = {item["of"] for item in (single or {}).get("items") or ()}
    for one in results:
        counts = one.get("counts") or {}
        name, model = foreign(one.get("dataset")), foreign(one.get("model"))
        items = number(counts.get("items"))
        measures = one.get("measures") or ()
        rows += [[name, model, foreign(measure.get("name")), items, *figure(measure)] for measure in measures]
        for subset in one.get("subsets") or ():
            first = (subset.get("measures") or [{}])[0]
            of_subset = number((subset.get("counts") or {}).get("items"))
            rows.append([f"  {name} / {foreign(subset.get('name'))}", model, "", of_subset, *figure(first)])
    found = table("Scores", ("data set", "model", "metric", "questions", "score", "95 % interval"), rows, names=3)
    filters = [place if (place := place_of(row[0], row[1])) in there else "" for row in rows]
    return found and found | {"filters": filters}


def place_of(dataset: Any, model: Any) -> str:
    """What an answer is of, as the page has it."""
    return foreign(f"{foreign(dataset)} · {foreign(model)}", 200)


def figure(measure: Mapping[str, Any]) -> tuple[str, str]:
    """A measure and its interval, in per cent where it is a share."""
    share = measure.get("unit", "share") == "share"
    value, low, high = (shown(measure.get(name), share) for name in ("value", "low", "high"))
    return value, NONE if NONE in (low, high) else f"{low} to {high}"


def shown(value: Any, share: bool) -> str:
    if not isinstance(value, (int, float)):
        return NONE
    return f"{100 * value:.1f} %" if share else number(float(value))


def count_table(results: Sequence[Mapping[str, Any]]) -> Block | None:
    """How many answers were what, and the score by which of them count."""
    heads = ("data set", "model", *COUNTS.values(), *VIEWS.values())
    rows = []
    for one in results:
        counts, views = one.get("counts") or {}, one.get("views") or {}
        scores = [figure(views.get(name) or {})[0] for name in VIEWS]
        cells = [number(counts.get(name)) for name in COUNTS]
        rows.append([foreign(one.get("dataset")), foreign(one.get("model")), *cells, *scores])
    return table("Answers", heads, rows, names=2)


def group_table(groups: Sequence[Mapping[str, Any]]) -> Block | None:
    rows = []
    for one in groups:
        group = one.get("group") or {}
        averages = (figure(group.get(name) or {})[0] for name in ("naive", "weighted"))
        rows.append([foreign(group.get("name")), foreign(one.get("model")), number(group.get("items")), *averages])
    return table("Groups", ("group", "model", "questions", "mean of members", "mean of questions"), rows, names=2)


def slice_tables(results: Sequence[Mapping[str, Any]]) -> Iterator[Block | None]:
    """Scores of parts of the answers: by how they ended, how long they are, and how busy the service was."""
    for key, title in SLICES.items():
        rows = [
            [foreign(one.get("dataset")), foreign(one.get("model")), foreign(part.get("label")), *slice_cells(part)]
            for one in results
            for part in one.get(key) or ()
        ]
        yield table(title, ("data set", "model", "", "answers", "score", "characters"), rows, names=3)


def slice_cells(part: Mapping[str, Any]) -> tuple[str, str, str]:
    """How many answers, their score, and from how long to how long they are."""
    ends = [part.get("shortest"), part.get("longest")]
    lengths = NONE if None in ends else f"{number(ends[0])} to {number(ends[1])}"
    return number(part.get("answers")), shown(part.get("score"), True), lengths


def comparison_table(comparisons: Sequence[Mapping[str, Any]]) -> Block | None:
    """Each model against each other on the same questions, in percentage points, and whether that is sure."""
    heads = ("model", "against", "data set", "points", "95 % interval", "p", "questions", "verdict")
    found = table("Differences between models", heads, map(compared, comparisons), names=3)
    looks = [verdict if (verdict := row[-1]) in (BETTER, WORSE) else "" for row in (found or {}).get("rows", ())]
    return found and found | {"numbers": [3, 4, 5, 6], "looks": looks, "marked": 7}


def compared(one: Mapping[str, Any]) -> list[str]:
    """A difference, corrected for how many there are where they are several; or why there is none."""
    names = [foreign(one.get(key), 80) for key in ("b", "a", "dataset")]
    difference, low, high = (one.get(key) for key in ("difference", "low", "high"))
    p = one.get("p") if one.get("p_adjusted") is None else one["p_adjusted"]
    if not isinstance(difference, (int, float)) or not isinstance(p, (int, float)):
        return [*names, NONE, NONE, NONE, NONE, f"not compared: {foreign(one.get('why'), 200)}"]
    interval = NONE if low is None or high is None else f"{100 * low:+.1f} to {100 * high:+.1f}"
    sure = (BETTER if difference > 0 else WORSE) if p < SURE else "not significantly different"
    items = number(one.get("items"))
    return [*names, f"{100 * difference:+.1f}", interval, "< 0.001" if p < 0.001 else f"{p:.3f}", items, sure]


def notes(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What has to be known of the results; of several each with what it is of."""
    for one in results:
        place = f"{foreign(one.get('dataset'))}, {foreign(one.get('model'))}: " if len(results) > 1 else ""
        yield from (f"{place}{foreign(note, 1000)}" for note in one.get("notes") or ())


def answers(results_dir: Path, results: Sequence[Mapping[str, Any]]) -> Block | None:
    """Single answers, those first that are worth a look; how many there are beside how many are shown."""
    found: list[dict[str, Any]] = []
    total = 0
    for one in results:
        file = results_dir / str(one.get("model")) / f"{one.get('dataset')}.jsonl"
        if results_dir not in file.parents or ".." in file.parts:
            continue
        kept, number_of = chosen(file, place_of(one.get("dataset"), one.get("model")))
        found += kept
        total += number_of
    if not found:
        note = "Single answers are here after perfcore eval RUN --dump-details, and the report made again."
        return lines([note], "faint")
    items = list(within(found))
    states = [state for state in STATES if any(item["state"] == state for item in items)]
    block: Block = {"kind": "samples", "name": "answers", "title": "Answers one by one", "items": items}
    return block | {"states": states, "of": total, "text": TEXT}


def chosen(file: Path, place: str) -> tuple[list[dict[str, Any]], int]:
    """At most MOST answers of each state of a file, wrong ones first; and how many answers it has."""
    by_state: dict[str, list[dict[str, Any]]] = {state: [] for state in STATES}
    total = 0
    for line in lines_of(file):
        total += 1
        kept = by_state[state_of(line)]
        if len(kept) < MOST:
            kept.append(item_of(line, place))
    return [item for state in STATES for item in by_state[state]], total


def lines_of(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, whatever else is in it; nothing where there is none."""
    try:
        with file.open("rb") as source:
            while line := source.readline(LONGEST_LINE):
                if not line.endswith(b"\n") and len(line) == LONGEST_LINE:
                    line = skipped(source)
                try:
                    found = json.loads(line.decode("utf-8", "replace"))
                except (ValueError, RecursionError):
                    continue
                if isinstance(found, dict):
                    yield found
    except OSError:
        return


def skipped(source: Any) -> bytes:
    """Read on to the end of the line; stands for it."""
    while (more := source.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
        pass
    return b'{"error":"a line of more than 4 MiB, which is not shown"}'


def item_of(line: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What the page shows of an answer."""
    texts = {
        "prompt": said(line.get("prompt")),
        "answer": said(line.get("prediction")),
        "reasoning": said(line.get("reasoning")),
        "extracted": said(line.get("extracted")),
        "reference": said(line.get("reference")),
        "why": said(line.get("error") or line.get("metric_error") or line.get("why")),
    }
    score = line.get("score")
    return {
        "id": foreign(line.get("id"), 100),
        "of": place,
        "state": state_of(line),
        "score": NONE if not isinstance(score, (int, float)) else f"{score:.3g}",
        **{name: text for name, text in texts.items() if text},
    }


def state_of(line: Mapping[str, Any]) -> str:
    """The one word by which an answer is found."""
    if line.get("error"):
        return "empty" if line["error"] == "empty_answer" else "failed"
    prediction = line.get("prediction")
    if line.get("empty") is True or (line.get("empty") is None and not (isinstance(prediction, str) and prediction)):
        return "empty"
    if str(line.get("finish_reason") or "").lower() in LONGEST:
        return "truncated"
    score = line.get("score")
    if not isinstance(score, (int, float)):
        return "not scored"
    if line.get("correct") is None:
        return "graded"
    return "right" if line["correct"] else "wrong"


def said(value: Any) -> str:
    """A text of at most TEXT characters with its line breaks; other values as JSON, messages as who said what."""
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(one, dict) and "role" in one for one in value):
        value = "\n".join(f"{one['role']}: {plain(one.get('content'))}" for one in value)
    text = plain(value)
    cut = "".join(kept if kept in "\n\t" else visible(kept) for kept in text[:TEXT])
    return cut if len(text) <= TEXT else f"{cut}… ({len(text):,} characters)"


def plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def within(items: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """As many of them as there is room for, each result and state in its turn."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in items:
        groups.setdefault((item["of"], item["state"]), []).append(item)
    kept: set[int] = set()
    room = CHARACTERS
    for place in range(MOST):
        for group in groups.values():
            if place < len(group) and len(kept) < IN_ALL and room > 0:
                kept.add(id(group[place]))
                room -= sum(len(text) for text in group[place].values())
    yield from (item for item in items if id(item) in kept)
