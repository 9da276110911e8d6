"""Lengths in tokens: their grammar, and seeded draws of which any part can be made by itself.

    1000                          always this many
    uniform:MIN:MAX               each whole number from MIN to MAX, both included, as often
    gaussian:MEAN:STD[:MIN:MAX]   normal; what falls outside is drawn again, so nothing piles up at the ends
    lognormal:MEAN:STD[:MIN:MAX]  log-normal, MEAN and STD those of the lengths themselves; outside as before
    zipf:ALPHA:MIN:MAX            length n as often as n ** -ALPHA, from MIN to MAX
    table:128=0.5,1024=0.5        lengths and their shares, which are met exactly over a known number of rows
    file:PATH[:COLUMN]            lengths of a file, drawn at random; with order=file in the file's own order

Each may name its values instead: `gaussian:mean=512,std=100,min=1,max=2048`.
"""

import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from perfcore.errors import UserError
from perfcore.paths import expanded
from perfcore.workload.files import lines, read_json, records

Array: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = Mapping[str, float]

MOST = 2**31 - 1
WIDEST_ZIPF = 2**22  # lengths whose probabilities are held in memory
BLOCK = 4096  # draws of one state of the generator
LEAST_INSIDE = 0.001  # share of a law that has to lie between MIN and MAX
GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it spread over 0..1 more evenly than any other's
STARTS_NUMBER = re.compile(r"[-+.]?\d")
TEXT_ENDINGS = {"", ".txt", ".csv", ".jsonl", ".ndjson", ".gz", ".dat"}


class Law(NamedTuple):
    """A law by its form: names of its values in order, those that may be missing, and how it is drawn."""

    form: str
    names: tuple[str, ...]
    optional: tuple[str, ...]
    draw: Callable[[Numbers, np.random.Generator, int], npt.NDArray[np.float64]]


def uniform(numbers: Numbers, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    return rng.integers(int(numbers["min"]), int(numbers["max"]) + 1, count).astype(np.float64)


def gaussian(numbers: Numbers, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    return rng.normal(numbers["mean"], numbers["std"], count)


def lognormal(numbers: Numbers, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    return rng.lognormal(*of_logarithms(numbers), count)


def of_logarithms(numbers: Numbers) -> tuple[float, float]:
    """Mean and standard deviation of the logarithms, from those of the lengths."""
    variance = math.log1p((numbers["std"] / numbers["mean"]) ** 2)
    return math.log(numbers["mean"]) - variance / 2, math.sqrt(variance)


def zipf(numbers: Numbers, rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    shares = zipf_shares(numbers["alpha"], int(numbers["min"]), int(numbers["max"]))
    return (np.searchsorted(shares, rng.random(count), side="right") + int(numbers["min"])).astype(np.float64)


@lru_cache(maxsize=4)
def zipf_shares(alpha: float, least: int, most: int) -> npt.NDArray[np.float64]:
    """Probability of at most each length from `least` on."""
    weights = (np.arange(least, most + 1, dtype=np.float64) / least) ** -alpha  # the first is 1: none overflows
    return np.cumsum(weights / weights.sum())[:-1]


LAWS = {
    "fixed": Law("fixed:N", ("n",), (), lambda numbers, _, count: np.full(count, numbers["n"])),
    "uniform": Law("uniform:MIN:MAX", ("min", "max"), (), uniform),
    "gaussian": Law("gaussian:MEAN:STD[:MIN:MAX]", ("mean", "std", "min", "max"), ("min", "max"), gaussian),
    "lognormal": Law("lognormal:MEAN:STD[:MIN:MAX]", ("mean", "std", "min", "max"), ("min", "max"), lognormal),
    "zipf": Law("zipf:ALPHA:MIN:MAX", ("alpha", "min", "max"), (), zipf),
}
FORMS = [law.form for law in LAWS.values()] + ["table:N=SHARE,N=SHARE", "file:PATH[:COLUMN]"]


@dataclass(frozen=True)
class Lengths:
    """Lengths of rows 0, 1, 2 and on. Row i has the same one however its row was asked for. It can be pickled."""

    law: str
    numbers: tuple[tuple[str, float], ...]  # of a law
    values: tuple[int, ...] = field(hash=False)  # of a table or a file, which may be long
    shares: tuple[float, ...] = field(hash=False)  # of a table; empty for a file
    seed: tuple[int, int]
    count: int | None
    in_order: bool

    def draw(self, start: int, stop: int) -> Array:
        """Lengths of the rows from `start` up to `stop`."""
        if self.law == "table":
            return self.of_table(start, stop)
        if self.in_order:
            return self.array[np.arange(start, stop) % len(self.values)]
        blocks = range(start // BLOCK, -(-stop // BLOCK))
        drawn = [drawn_block(self, block) for block in blocks]
        return np.concatenate([*drawn, np.empty(0, np.int64)])[start - (start // BLOCK) * BLOCK :][: stop - start]

    def of_table(self, start: int, stop: int) -> Array:
        """Lengths whose shares are exact over `count` rows, or as near as may be where the number is unknown."""
        if self.count is not None:
            return self.dealt[np.arange(start, stop) % max(self.count, 1)]
        first = np.random.default_rng(self.seed).random()
        places = (np.arange(start, stop, dtype=np.float64) * GOLDEN + first) % 1.0
        ends = np.cumsum(self.shares)[:-1]  # without the last one, which rounding may leave below 1
        return self.array[np.searchsorted(ends, places, side="right")]

    @cached_property
    def dealt(self) -> Array:
        """All lengths of a table over `count` rows, in a seeded order."""
        ends = np.floor(np.cumsum(self.shares) * (self.count or 0) + 0.5).astype(np.int64)
        return np.random.default_rng(self.seed).permutation(np.repeat(self.array, np.diff(ends, prepend=0)))

    @cached_property
    def array(self) -> Array:
        """Lengths of a table or a file."""
        return np.array(self.values, np.int64)

    @property
    def least(self) -> int:
        """No length is below it."""
        numbers = dict(self.numbers)
        return min(self.values) if self.values else int(numbers.get("n", numbers.get("min", 1)))

    @property
    def most(self) -> int:
        """No length is above it."""
        numbers = dict(self.numbers)
        return max(self.values) if self.values else int(numbers.get("n", numbers.get("max", MOST)))


@lru_cache(maxsize=64)
def drawn_block(lengths: Lengths, block: int) -> Array:
    """Draws of one block; what rounds to a length outside MIN to MAX is drawn again."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([*lengths.seed, block])))
    if lengths.values:
        return lengths.array[rng.integers(0, len(lengths.values), BLOCK)]
    numbers, law = dict(lengths.numbers), LAWS[lengths.law]
    found = np.rint(law.draw(numbers, rng, BLOCK))
    while (out := np.flatnonzero((found < lengths.least) | (found > lengths.most))).size:
        found[out] = np.rint(law.draw(numbers, rng, out.size))
    found = found.astype(np.int64)
    found.setflags(write=False)
    return found


def lengths(spec: str | int, seed: int, count: int | None = None, name: str = "input_tokens") -> Lengths:
    """Lengths by their grammar (see above). With `count` the shares of a table are exact over that many rows.

    `name` is the option or key that was given: lengths of different names do not depend on each other. Raises UserError
    that begins with it and says what is wrong.
    """
    law, _, rest = str(spec).strip().partition(":")
    try:
        return parsed(law.strip().lower(), rest, (seed, zlib.crc32(name.encode())), count)
    except ValueError as error:
        raise UserError(f"{name} {spec}: {error}") from None


def parsed(law: str, rest: str, seeds: tuple[int, int], count: int | None) -> Lengths:
    """Lengths of a law and its values; raises ValueError."""
    if law == "table":
        return dealt_out(*table(rest), seeds, count)
    if law == "file":
        values, in_order = of_file(rest)
        return Lengths(law, (), values, (), seeds, count, in_order)
    law, rest = ("fixed", law) if STARTS_NUMBER.match(law) and not rest else (law, rest)
    return Lengths(law, tuple(law_numbers(law, rest).items()), (), (), seeds, count, False)


@lru_cache(maxsize=4)
def dealt_out(values: tuple[int, ...], shares: tuple[float, ...], seeds: tuple[int, int], count: int | None) -> Lengths:
    """Lengths of a table, made once, as those of all rows are drawn together."""
    return Lengths("table", (), values, shares, seeds, count, False)


def law_numbers(law: str, rest: str) -> dict[str, float]:
    """Values of a law by name; raises ValueError."""
    if law not in LAWS:
        raise ValueError(f"{law!r} is no law of lengths; write one of 1000, {', '.join(FORMS[1:])}")
    form, names, optional, _ = LAWS[law]
    given = named(rest, names, form)
    missing = [name for name in names if name not in given and name not in optional]
    if missing:
        raise ValueError(f"{missing[0].upper()} is missing; write {form}")
    numbers = {name: number(text, name, form) for name, text in given.items()}
    if "min" in names:
        numbers = {"min": 1, "max": MOST} | numbers
    check(law, numbers, form)
    return numbers


def named(rest: str, names: Sequence[str], form: str) -> dict[str, str]:
    """Values by name, from A:B:C or name=A,name=B; raises ValueError."""
    if "=" not in rest:
        parts = [part.strip() for part in rest.split(":")] if rest else []
        if len(parts) > len(names):
            raise ValueError(f"has {len(parts)} values, which is too many; write {form}")
        return dict(zip(names, parts, strict=False))
    pairs = [part.partition("=") for part in rest.replace(":", ",").split(",")]
    given = {name.strip().lower(): text.strip() for name, _, text in pairs}
    unknown = sorted(given.keys() - set(names))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown; write {form}")
    if len(given) < len(pairs):
        raise ValueError(f"gives a value twice; write {form}")
    return given


def number(text: str, name: str, form: str) -> float:
    """A finite number, whole where it is a length; raises ValueError."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or found < 0:
        raise ValueError(f"{name.upper()} is {text!r}, not a number of at least 0; write {form}")
    if name in ("n", "min", "max") and (found % 1 or not 1 <= found <= MOST):
        raise ValueError(f"{name.upper()} is {text}; a length is a whole number from 1 to {MOST:,}")
    return int(found) if not found % 1 else found


def check(law: str, numbers: Numbers, form: str) -> None:
    """Raise ValueError for numbers that are no law, or leave next to nothing of it between MIN and MAX."""
    if "min" in numbers and numbers["min"] > numbers["max"]:
        raise ValueError(f"MIN {numbers['min']:,} is above MAX {numbers['max']:,}; write {form}")
    if law == "zipf" and numbers["max"] - numbers["min"] >= WIDEST_ZIPF:
        raise ValueError(f"MIN and MAX are more than {WIDEST_ZIPF:,} apart; move them together")
    if law == "lognormal" and numbers["mean"] <= 0:
        raise ValueError("MEAN has to be above 0")
    if law in ("gaussian", "lognormal") and share_inside(law, numbers) < LEAST_INSIDE:
        raise ValueError("nearly nothing of that lies between MIN and MAX; move them, or MEAN and STD")


def share_inside(law: str, numbers: Numbers) -> float:
    """Share of a normal or log-normal law that rounds to a length from MIN to MAX."""
    low, high = numbers["min"] - 0.5, numbers["max"] + 0.5
    mean, deviation = numbers["mean"], numbers["std"]
    if law == "lognormal":
        mean, deviation = of_logarithms(numbers)
        low, high = math.log(low), math.log(high)
    if not deviation:
        return float(low <= mean <= high)
    below = [math.erfc((mean - end) / (deviation * math.sqrt(2))) / 2 for end in (low, high)]
    return below[1] - below[0]


def table(text: str) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Lengths and their shares, which together are 1; raises ValueError."""
    form = "table:N=SHARE,N=SHARE"
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not pairs:
        raise ValueError(f"has no lengths; write {form}")
    values = [int(number(name.strip(), "n", form)) for name, _, _ in pairs]
    weights = [share_of(share.strip(), form) for _, _, share in pairs]
    total = sum(weights)
    if not any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1, 100)):
        raise ValueError(f"has shares that make {total:g} together; they have to make 1, or 100")
    return tuple(values), tuple(weight / total for weight in weights)


def share_of(text: str, form: str) -> float:
    """A share of a table, with or without a % behind it; raises ValueError."""
    return number(text.removesuffix("%"), "share", form)


def of_file(rest: str) -> tuple[tuple[int, ...], bool]:
    """Lengths of a file, and whether its order is kept; raises ValueError, and UserError for what cannot be read."""
    given = {"path": rest}
    if "=" in rest and not Path(rest).exists():
        pairs = [part.partition("=") for part in rest.split(",")]
        given = {name.strip(): value.strip() for name, _, value in pairs}
    wrong = given.keys() - {"path", "column", "order"}
    if wrong or not given.get("path") or given.get("order", "random") not in ("random", "file"):
        raise ValueError("names no file; write file:PATH, file:PATH:COLUMN or file:path=PATH,column=NAME,order=file")
    path, column = expanded(given["path"]), given.get("column", "")
    if not path.exists() and not column and ":" in rest:
        before, _, column = given["path"].rpartition(":")
        path = expanded(before)
    changed_ns = path.stat().st_mtime_ns if path.exists() else 0
    return read(path, column, changed_ns), given.get("order") == "file"


@lru_cache(maxsize=4)
def read(path: Path, column: str, changed_ns: int) -> tuple[int, ...]:
    """Lengths of a file: a number a line, a JSON list, or a column of rows. Raises UserError that names the place.

    Read once, until the file changes.
    """
    if column:
        return tuple(column_of(path, column))
    if path.suffix == ".json" and isinstance(found := read_json(path), list) and not any(map(is_object, found)):
        return tuple(whole(value, f"{path}, item {at}") for at, value in enumerate(found, 1))
    if path.suffix not in TEXT_ENDINGS:
        return tuple(column_of(path, column))
    first = next(lines(path))[1].strip()
    if not is_whole(first):
        return tuple(column_of(path, column))
    return tuple(whole(text.strip(), place) for place, text in lines(path))


def column_of(path: Path, column: str) -> list[int]:
    """Values of one column; raises UserError where it has to be named, or is not there."""
    found = []
    for place, fields in records(path):
        if not column:
            if len(fields) != 1:
                raise UserError(f"{place} has the columns {', '.join(fields)}; name one with file:{path}:COLUMN")
            column = next(iter(fields))
        if column not in fields:
            raise UserError(f"{place} has no {column}; its columns are {', '.join(fields)}")
        found.append(whole(fields[column], f"{place}, {column}"))
    return found


def is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_whole(value: object) -> bool:
    """Whether a value is a length or text of one."""
    try:
        return not isinstance(value, bool) and 1 <= float(value) <= MOST and not float(value) % 1  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def whole(value: object, place: str) -> int:
    """A length that stands at `place`; raises UserError."""
    if not is_whole(value):
        raise UserError(f"{place}: {value!r} is no length; it has to be a whole number from 1 to {MOST:,}")
    return int(float(value))  # type: ignore[arg-type]
