"""What it costs to score answers that are numbers and formulas, beside bare math-verify on the same texts.

`python -m benchmarks.math_scoring` prints the figures. Answers are drawn by a seed, none of them twice.
"""

import logging
import random
import time
from collections.abc import Callable, Sequence

from math_verify import parse, verify

from benchmarks.figure import Figure, rows, text
from evaluators import mathematics, number
from evaluators.formulas import apart
from evaluators.sample import Sample

MANY, FEW = 10_000, 200  # answers; those of them that sympy compares
SMOKE = (20, 4)
Item = tuple[str, str, bool]  # reference, text of the answer, whether it is right


def measure(many: int = MANY, few: int = FEW) -> list[Figure]:
    """Answers per second of each kind, and how many times as fast as math-verify alone that is.

    For the ratio both take turns with the same answers. Raises RuntimeError where ours are not all scored right.
    """
    logging.disable()
    rng = random.Random(7)
    numbers = [worked(rng, at) for at in range(many)]
    boxed = [(reference, f"So we get $\\boxed{{{reference}}}$.", True) for reference, _, _ in numbers]
    formulas = [formula(rng, at) for at in range(few)]
    apart.same("x", "y", 5.0)  # its process is started before the clock
    figures = []
    for key, what, score, items in (
        ("number", "worked answers that end in a number, by `number`", by_number, numbers),
        ("math-number", "numbers in a box, by `math`", by_math, boxed),
        ("math-formula", "formulas that sympy has to compare, by `math`", by_math, formulas),
    ):
        ours, alone = in_turns(score, items[:few])
        took = ours + seconds(score, items[few:])
        note = f"{few:,} answers, in turns"
        figures += [
            Figure(
                f"{key}-rate", f"{what}, per second", len(items) / took, "answers/s", note=f"{len(items):,} answers"
            ),
            Figure(f"{key}-ratio", f"{what}: times as fast as math-verify", alone / ours, ratio=True, note=note),
        ]
    logging.disable(logging.NOTSET)
    apart.end()
    return figures


def in_turns(score: Callable[[Item], bool], items: Sequence[Item]) -> tuple[float, float]:
    """Seconds that `score` took, and that math-verify alone took, for the same items."""
    ours = alone = 0.0
    bare(items[0])  # its patterns are compiled at the first call
    for item in items:
        ours += seconds(score, [item])
        start = time.perf_counter()
        bare(item)
        alone += time.perf_counter() - start
    return ours, alone


def worked(rng: random.Random, at: int) -> Item:
    """A number with the working that leads to it."""
    wanted, part = 10 * at + rng.randrange(10), rng.randrange(1, 100)
    lines = [
        f"First there are {part + step} of them, which makes {part} + {step} = {part + step}." for step in range(8)
    ]
    return f"{wanted:,}", "\n".join([*lines, f"So in all she pays ${wanted:,}."]), True


def formula(rng: random.Random, at: int) -> Item:
    """A polynomial, and the same with its terms in another order, or one that differs."""
    one, two, three = rng.randrange(2, 90), rng.randrange(2, 90), at + 2
    answer = f"{three} + {two}x + {one + at % 2}x^2"
    return f"{one}x^2 + {two}x + {three}", f"So we get $\\boxed{{{answer}}}$.", at % 2 == 0


def by_number(item: Item) -> bool:
    return number.score(item[1], Sample(id="", reference=item[0]), number.Number()).score == 1.0


def by_math(item: Item) -> bool:
    return mathematics.score(item[1], Sample(id="", reference=item[0]), mathematics.Math()).score == 1.0


def bare(item: Item) -> bool:
    """As the README of math-verify does it, but for its signals."""
    wanted, given = parse(f"${item[0]}$", parsing_timeout=None), parse(item[1], parsing_timeout=None)
    return bool(verify(wanted, given, timeout_seconds=None))


def seconds(score: Callable[[Item], bool], items: Sequence[Item]) -> float:
    """Time for all items; raises RuntimeError for one that is scored wrongly."""
    start = time.perf_counter()
    for item in items:
        if score(item) is not item[2]:
            raise RuntimeError(f"{item[1]!r} was scored wrongly against {item[0]!r}")
    return time.perf_counter() - start


if __name__ == "__main__":
    print(text([("what", "measured", "gate", "met", "beside it"), *rows(measure())]))
