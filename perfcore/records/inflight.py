"""How many requests were in flight when each one was sent: what joins the quality of an answer to the load."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from perfcore.errors import UserError

COLUMNS = ["index", "repeat", "turn", "phase", "sent_ns", "end_ns"]


def in_flight(run_dir: Path) -> dict[tuple[int, int, int], int]:
    """By row, repeat and turn, the requests of the run in flight when its last attempt was sent, itself included.

    Empty where the run has no table of requests. Raises UserError for one that cannot be read.
    """
    path = run_dir / "requests.parquet"
    if not path.is_file():
        return {}
    try:
        table = pq.read_table(path, columns=COLUMNS)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"cannot read {path} ({error}); make it again with: perfcore report {run_dir}") from None
    table = table.filter(pc.and_(pc.is_valid(table["sent_ns"]), pc.is_valid(table["end_ns"])))
    sent, end = (table[name].to_numpy() for name in ("sent_ns", "end_ns"))
    counts = np.searchsorted(np.sort(sent), sent, "right") - np.searchsorted(np.sort(end), sent, "right")
    columns = [table[name].to_pylist() for name in ("index", "repeat", "turn")]
    keys = zip(*columns, strict=True)
    return {(i, r, t or 0): n for (i, r, t), n in zip(keys, counts.tolist(), strict=True) if i is not None}
