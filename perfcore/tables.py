"""Files of settings: a table of keys in TOML, YAML or JSON, whichever the name ends in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError

FORMATS: dict[str, Callable[[bytes], Any]] = {
    ".toml": msgspec.toml.decode,
    ".yaml": msgspec.yaml.decode,
    ".yml": msgspec.yaml.decode,
    ".json": msgspec.json.decode,
}


def read_table(path: Path, flag: str) -> dict[str, Any]:
    """Keys and values of a file that was given by `flag`; raises UserError for one that cannot be read."""
    decode = FORMATS.get(path.suffix.lower())
    if decode is None:
        raise UserError(f"{flag} {path} ends in none of {', '.join(FORMATS)}; rename it to what it holds")
    try:
        table = decode(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {flag} {path}: {error.strerror}; give a file that can be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{flag} {path} is not valid {path.suffix[1:].upper()}: {error}; mend it there") from None
    if not isinstance(table, dict) and table is not None:
        raise UserError(f"{flag} {path} holds no table of keys; write lines such as concurrency = 16")
    return {str(key).replace("-", "_"): value for key, value in (table or {}).items()}
