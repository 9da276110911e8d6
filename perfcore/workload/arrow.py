"""Parquet files, and data sets that `datasets` saved on disk; a module of its own because pyarrow is slow to load."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from perfcore.errors import UserError

BATCH_ROWS = 1024


def parquet_rows(path: Path, unpacked: bytes | None) -> Iterator[dict[str, Any]]:
    """Rows of a Parquet file, or of its bytes where it was packed; a batch of them is in memory. Raises UserError."""
    source = path if unpacked is None else io.BytesIO(unpacked)
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(BATCH_ROWS):
                yield from batch.to_pylist()
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise broken(path, "Parquet", error) from None


def saved_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of a saved data set, or of the only split of one with several. Raises UserError."""
    if (folder / "dataset_dict.json").exists():
        folder = only_split(folder)
    for file in arrow_files(folder):
        yield from arrow_rows(file)


def only_split(folder: Path) -> Path:
    """Folder of the split; raises UserError where there are several."""
    splits = described(folder / "dataset_dict.json", "splits")
    if len(splits) != 1:
        raise UserError(f"{folder} has the splits {', '.join(splits)}; give one, such as {folder / splits[0]}")
    return folder / splits[0]


def arrow_files(folder: Path) -> list[Path]:
    """The files of a data set in their order. Raises UserError."""
    return [folder / name for name in described(folder / "state.json", "_data_files", "filename")]


def described(path: Path, key: str, inner: str = "") -> list[str]:
    """Texts in a list of a JSON file, or in the objects of such a list. Raises UserError."""
    try:
        found = [item[inner] if inner else item for item in json.loads(path.read_bytes())[key]]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = []
    if not found or not all(isinstance(item, str) for item in found):
        raise UserError(f"{path} does not say {key}, as `datasets` writes it; save the data set anew")
    return found


def arrow_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of one file, in Arrow's form for streams. Raises UserError."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            for batch in reader:
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield from batch.slice(start, BATCH_ROWS).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise broken(path, "Arrow", error) from None


def broken(path: Path, form: str, error: Exception) -> Exception:
    """What to tell a user whose file is cut or something else; an error of the system stays what it is."""
    if isinstance(error, OSError) and error.errno:
        return error
    words = str(error).partition("\n")[0] or type(error).__name__
    return UserError(f"{path} cannot be read as {form} ({words}); fetch it anew")
