"""NeedleBench: haystacks of asked lengths with needles at asked depths, in English and Chinese.

A text is cut between sentences only, so that a length is met to within one of them. The same repeat has the same
needles and the same text at every length and depth: cells of the table of length by depth differ in nothing else.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.workload.files import read_json, records
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.sources.needles import FRAMES, Needles, chain, facts
from perfcore.workload.tokens import Tokenizer, opened

FACTS, NAMES = "needles.jsonl", "names.json"
ENDS = r".!?\u3002\uff01\uff1f\n"
SENTENCE = re.compile(rf"[^{ENDS}]*[{ENDS}]+|[^{ENDS}]+")  # blanks are before their word, as tokens have them
UNIT = re.compile(r"[\u2e80-\u9fff]|[^\W\u2e80-\u9fff]+|[^\w\s]")  # about a token each, where no tokenizer is known
DEPTHS, CHAINS = tuple(range(0, 101, 10)), (2, 3, 4, 5)
Depth = Annotated[int, Meta(ge=0, le=100)]
Positive = Annotated[int, Meta(ge=1)]
Amount = Annotated[int, Meta(ge=0)]
Task: TypeAlias = Literal["single", "multi_retrieval", "multi_reasoning", "atc"]
Speech: TypeAlias = Literal["en", "zh"]
REPEATS, BUFFER = 10, 500


def buffers() -> int | dict[Speech, int]:
    """Those of NeedleBench's own configurations of up to 8k."""
    return {"en": BUFFER, "zh": 200}


class NeedleBench(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `needlebench`."""

    tasks: Annotated[
        tuple[Task, ...],
        Meta(description="One fact, one at each depth, a chain of relatives in a text, or such a chain alone (atc)."),
    ] = ("single",)
    languages: Annotated[tuple[Speech, ...], Meta(description="Languages of text, needles and question.")] = (
        "en",
        "zh",
    )
    lengths: Annotated[tuple[Positive, ...], Meta(description="Tokens of text, needles and buffer together.")] = (4000,)
    depths: Annotated[tuple[Depth, ...], Meta(description="Percent of the text before the first needle.")] = DEPTHS
    needles: Annotated[tuple[Positive, ...], Meta(description="Relatives of multi_reasoning and atc.")] = CHAINS
    apart: Annotated[int, Meta(ge=0, le=100, description="Percent of the text between relatives.")] = 10
    spread: Annotated[
        tuple[Positive, ...],
        Meta(
            description="Facts of multi_retrieval, evenly from the beginning to the end; empty: one at each of depths."
        ),
    ] = ()
    repeats: Annotated[
        Positive | dict[Task, Positive], Meta(description="Rows of each length and depth, of all tasks or of some.")
    ] = REPEATS
    buffer: Annotated[
        Amount | dict[Speech, Amount],
        Meta(description="Tokens of a length that are left for question and answer, of all languages or of each."),
    ] = msgspec.field(default_factory=buffers)
    kinds: Annotated[
        tuple[Literal["eldest", "ancestor", "descendant", "distance"], ...],
        Meta(description="What atc asks, repeats of each."),
    ] = ("eldest", "ancestor", "descendant", "distance")
    question: Annotated[Literal["end", "start"], Meta(description="Whether the question follows the text.")] = "end"


class Hay(NamedTuple):
    """Texts of one language: the sentences of each, and the tokens of these."""

    sentences: list[NDArray[np.object_]]
    counts: list[NDArray[np.int64]]


class Source(NamedTuple):
    """What rows are made of."""

    facts: Sequence[Mapping[str, Any]]
    names: Mapping[str, str]
    hay: Mapping[str, Hay]
    tokenizer: Tokenizer | None


class Cell(NamedTuple):
    """Where needles are hidden: one place in the table of lengths by depths; None where it does not count."""

    task: str
    language: str
    length: int | None
    depth: int | None
    needles: int | None
    kind: str = ""

    @property
    def subset(self) -> str:
        """Its name, such as single_en_length4000_depth10 or multi_reasoning_2needle_zh_length4000_depth0."""
        several = f"{self.needles}needle" if self.needles else ""
        place = [
            f"{name}{value}" for name, value in (("length", self.length), ("depth", self.depth)) if value is not None
        ]
        return "_".join(filter(None, (self.task, several, self.kind, self.language, *place)))


def read(paths: Sequence[Path], settings: NeedleBench, wanted: Wanted) -> Iterator[Row]:
    """Rows of all tasks. Lengths are in tokens of the run's tokenizer, else in words and marks. Raises UserError."""
    tokenizer = opened(wanted.tokenizer, wanted.trust_remote_code)
    rows = [record.fields for path in paths if path.name == FACTS for record in records(path)]
    names: dict[str, str] = next((read_json(path) for path in paths if path.name == NAMES), {})
    languages = settings.languages if {*settings.tasks} - {"atc"} else ()
    hay: dict[str, Hay] = {language: haystack(paths, language, tokenizer) for language in languages}
    source = Source(rows, names, hay, tokenizer)
    for cell in cells(settings):
        for repeat in range(among(settings.repeats, cell.task, REPEATS)):
            yield row(cell, repeat, settings, source, np.random.default_rng([wanted.seed, repeat]))


def cells(settings: NeedleBench) -> Iterator[Cell]:
    """All places of the tables, one task after the other."""
    for task, language in product(settings.tasks, settings.languages):
        make = partial(Cell, task, language)
        if task == "single":
            yield from (make(length, depth, None) for length, depth in product(settings.lengths, settings.depths))
        elif task == "multi_retrieval":
            yield from (make(*one) for one in product(settings.lengths, (None,), settings.spread or (None,)))
        elif task == "multi_reasoning":
            yield from (make(*one) for one in product(settings.lengths, settings.depths, settings.needles))
        else:
            yield from (make(None, None, *one) for one in product(settings.needles, settings.kinds))


def haystack(paths: Sequence[Path], language: str, tokenizer: Tokenizer | None) -> Hay:
    """The texts of a language: files whose names begin with zh are Chinese. Raises UserError where there is none."""
    files = [path for path in paths if path.name not in (FACTS, NAMES)]
    files = [path for path in files if path.name.startswith("zh") == (language == "zh")]
    texts = [str(record.fields.get("text", "")) for path in files for record in records(path)]
    found = [SENTENCE.findall(text) for text in texts if text.strip()]
    if not found:
        raise UserError(f"no file has texts in the language {language}; give one, such as PaulGrahamEssays.jsonl")
    counts = token_counts([sentence for sentences in found for sentence in sentences], tokenizer)
    ends = np.cumsum([len(sentences) for sentences in found])[:-1]
    return Hay([np.array(sentences, object) for sentences in found], np.split(counts, ends))


def token_counts(texts: Sequence[str], tokenizer: Tokenizer | None) -> NDArray[np.int64]:
    """Tokens of each text by itself; without a tokenizer words, marks and Chinese characters."""
    counts = tokenizer.counts(texts) if tokenizer is not None else [len(UNIT.findall(text)) for text in texts]
    return np.array(counts, np.int64)


def row(cell: Cell, repeat: int, settings: NeedleBench, source: Source, rng: np.random.Generator) -> Row:
    """One row; raises UserError for needles that are not there."""
    found = drawn(cell, settings, source, rng)
    text, tokens = "\n".join(found.texts), None
    if cell.length is not None:
        lines = [f"\n{needle}\n" for needle in found.texts]
        room = (
            cell.length
            - among(settings.buffer, cell.language, BUFFER)
            - int(token_counts(lines, source.tokenizer).sum())
        )
        percents = places(cell, settings, len(found.texts))
        text, tokens = hidden(source.hay[cell.language], max(room, 0), lines, percents, rng)
    frame = FRAMES[cell.language][2 if tokens is None else 1 if settings.question == "start" else 0]
    depths = apart(cell, settings) if cell.task == "multi_retrieval" else None
    meta = {**cell._asdict(), "depths": depths, "haystack_tokens": tokens}
    return Row(
        id=f"{cell.subset}#{repeat + 1}",
        prompt=frame.format(text=text, question=found.question),
        reference=found.reference,
        meta={name: value for name, value in meta.items() if value not in (None, "")},
        subset=cell.subset,
    )


def among(value: int | Mapping[Any, int], name: str, other: int) -> int:
    """One number for all, or that of a name, `other` where it has none."""
    return value if isinstance(value, int) else value.get(name, other)


def drawn(cell: Cell, settings: NeedleBench, source: Source, rng: np.random.Generator) -> Needles:
    """The needles of a cell."""
    if cell.task in ("multi_reasoning", "atc"):
        return chain(source.names, cell.needles or 1, cell.language, cell.kind or "eldest", rng)
    return facts(source.facts, len(apart(cell, settings)) if cell.task == "multi_retrieval" else 1, cell.language, rng)


def apart(cell: Cell, settings: NeedleBench) -> list[int]:
    """Percent of the text before each of several facts: those of the settings, or so many from 0 to 100."""
    if cell.needles is None:
        return sorted(settings.depths)
    return [100 * at // max(cell.needles - 1, 1) for at in range(cell.needles)]


def places(cell: Cell, settings: NeedleBench, count: int) -> list[int]:
    """Percent of the text before each needle."""
    if cell.depth is None:
        return apart(cell, settings)
    return [min(100, cell.depth + at * settings.apart) for at in range(count)]


def hidden(
    hay: Hay, room: int, needles: Sequence[str], percents: Sequence[int], rng: np.random.Generator
) -> tuple[str, int]:
    """A text of `room` tokens with needles in it, which are whole lines, and its tokens without them.

    Texts follow each other in a drawn order, and come again where there are too few.
    """
    if not room:
        return "".join(needles), 0
    order = rng.permutation(len(hay.sentences))
    total = sum(int(counts.sum()) for counts in hay.counts)
    order = np.tile(order, room // max(total, 1) + 1)
    ends = np.cumsum(np.concatenate([hay.counts[at] for at in order]))
    size = int(np.searchsorted(ends, room, side="right"))
    sentences = np.concatenate([hay.sentences[at] for at in order])[:size].tolist()
    tokens = int(ends[size - 1]) if size else 0
    at = [int(np.searchsorted(ends[:size], tokens * percent / 100)) + (percent > 0) for percent in percents]
    for place, needle in sorted(zip(at, needles, strict=True), key=lambda pair: -pair[0]):
        sentences.insert(min(place, size), needle)
    return "".join(sentences), tokens


READERS = {"needlebench": Reader(read, NeedleBench, "Facts and relatives hidden in long texts, by length and depth.")}
