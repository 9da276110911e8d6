"""A process that prepares parts of the request book: rows are made, encoded and packed where they are.

Started as `python -m perfcore.run.maker FILE PARENT`. What it is to do comes pickled through the inherited socket FILE:
first (rows, form), then one (start, stop) after the other; for each goes back a part, or what was wrong.
"""

import pickle
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection

from perfcore.errors import UserError
from perfcore.run.part import Form, Part, Trouble, cut
from perfcore.run.worker import outlive_nobody
from perfcore.workload.row import Row
from perfcore.workload.source import Made


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    outlive_nobody(int(sys.argv[2]))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the master needs no more
        rows, form = pickle.loads(connection.recv_bytes())
        while True:
            start, stop = pickle.loads(connection.recv_bytes())
            connection.send_bytes(pickle.dumps(tried(rows, form, start, stop), pickle.HIGHEST_PROTOCOL))


def tried(rows: Made, form: Form, start: int, stop: int) -> Part | Trouble:
    """The part from `start` up to `stop`, or what is wrong with it."""
    try:
        return made(rows, form, start, stop)
    except UserError as error:
        return Trouble(str(error), True)
    except Exception:
        return Trouble(traceback.format_exc(), False)


def made(rows: Made, form: Form, start: int, stop: int) -> Part:
    """The rows from `start` up to `stop` as a part. Raises UserError that names a row."""
    return next(cut(lazily(rows, start, stop), form))


def lazily(rows: Made, start: int, stop: int) -> Iterator[Row]:
    """Rows that are made when the first is asked for, so that their time counts as theirs."""
    yield from named(rows, start, stop)


def named(rows: Made, start: int, stop: int) -> list[Row]:
    """Rows; an error that names no row is given the number of the first row that cannot be made."""
    try:
        return rows.part(start, stop)
    except UserError as error:
        if stop - start > 1:
            for number in range(start, stop):
                named(rows, number, number + 1)
        raise error if "row" in str(error) else UserError(f"row {start + 1:,} of the data set: {error}") from None


if __name__ == "__main__":
    main()
