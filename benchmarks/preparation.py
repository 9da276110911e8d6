"""What it takes to prepare requests: rows made to a length, encoded and written, in rows per second and in memory.

`python -m benchmarks.preparation` prints the figures; `python -m benchmarks.preparation ROWS TOKENIZER` prepares so
many rows of 1,000 tokens in this process and its helpers, and prints what it took as JSON: [wall_s, cpu_s].
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.figure import Figure, rows, text
from benchmarks.process import ROOT, output, own_busy_s, python, start
from perfcore.options import StressOptions
from perfcore.records.journal import JournalWriter
from perfcore.run.book import BookWriter
from perfcore.run.making import parts
from perfcore.run.part import Form
from perfcore.run.rows import select
from perfcore.run.writing import write
from perfcore.workload.dialect import load_dialect

TOKENS = 1000
FEW, MANY = 20_000, 80_000
SMOKE = (200, 400)
RATE = 1_500.0
GROWTH = 1.1
LOOK_S = 0.05
TOKENIZER = os.environ.get("BENCH_TOKENIZER", str(ROOT / "tests" / "data" / "tiny-add"))


def measure(few: int = FEW, many: int = MANY) -> list[Figure]:
    """Speed of the longer of two preparations, and how much more memory it takes than the shorter."""
    (_, _, small), (wall_s, cpu_s, large) = prepared(few), prepared(many)
    cores = len(os.sched_getaffinity(0))
    name = f"synthetic rows of {TOKENS:,} tokens"
    return [
        Figure(
            "preparation-rate",
            f"{name} prepared per second of processor time",
            many / cpu_s,
            "rows/s",
            gate=RATE,
            least=True,
            note=f"{many:,} rows in {wall_s:.0f} s on {cores} cores",
        ),
        Figure(
            "preparation-growth",
            f"memory for {many:,} {name} over that for {few:,}",
            large / small,
            gate=GROWTH,
            ratio=True,
            note=f"{small / 2**20:.0f} and {large / 2**20:.0f} MiB, all processes",
        ),
    ]


def prepared(count: int) -> tuple[float, float, int]:
    """Seconds and seconds of processor time for so many rows, and the most memory that all processes held."""
    process = start(python("benchmarks.preparation", count, TOKENIZER), os.sched_getaffinity(0))
    peak = 0
    while process.poll() is None:
        peak = max(peak, held_bytes(process.pid))
        time.sleep(LOOK_S)
    wall_s, cpu_s = json.loads(output(process))
    return wall_s, cpu_s, peak


def held_bytes(process: int) -> int:
    """Memory of a process and of all below it; pages that they share count for each."""
    total = 0
    try:
        for each in (psutil.Process(process), *psutil.Process(process).children(recursive=True)):
            total += each.memory_info().rss
    except psutil.NoSuchProcess:  # one has just ended; the next look will see the others
        return 0
    return total


def prepare(count: int, tokenizer: str) -> tuple[float, float]:
    """Prepare so many rows as a run does; returns the seconds, and those of processor time."""
    options = StressOptions(
        dataset=("synthetic",), input_tokens=str(TOKENS), output_tokens="128", tokenizer=tokenizer, requests=count
    )
    dialect = load_dialect(options.dialect)
    form = Form(dialect, "m", None, True, {}, False, "own", 0.0)
    made = select(options, dialect).rows
    with tempfile.TemporaryDirectory() as folder, BookWriter(Path(folder) / "book") as book:
        journal = JournalWriter(Path(folder) / "journal.bin")
        done = write(book, parts(made, form), count, journal)
        journal.close()
    if done.rows != count:
        raise RuntimeError(f"{done.rows:,} rows were prepared in the place of {count:,}")
    return done.wall_s, own_busy_s()


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(prepare(int(sys.argv[1]), sys.argv[2])))
    else:
        print(text([("what", "measured", "gate", "met", "beside it"), *rows(measure())]))


if __name__ == "__main__":
    main()
