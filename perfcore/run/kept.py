"""Whether the events of answers are kept as they came: some answers can be put together from nothing less."""

from collections.abc import Iterable
from typing import Any

import msgspec

# Keys of a body that ask for more than one text, in any of the forms that services have for it.
CHOICES = ("n", "num_return_sequences")
LOGPROBS = ("logprobs", "prompt_logprobs")
MORE = (*LOGPROBS, "tools", "functions", "top_logprobs", "return_logprob", "n_probs", "top_n_tokens")


def keeps_events(wanted: str, first: bytes) -> bool:
    """As --keep-events says; where that is auto, if the run's first body asks for what only events hold."""
    return wanted == "always" if wanted != "auto" else asks_for_more([msgspec.json.decode(first)])


def asks_for_more(tables: Iterable[Any]) -> bool:
    """Whether one of these tables, or a table directly below (`parameters`, `sampling_params`), has such a key."""
    found = [table for table in tables if isinstance(table, dict)]
    found += [below for table in found for below in table.values() if isinstance(below, dict)]
    return any(asks(table) for table in found)


def asks(table: dict[str, Any]) -> bool:
    if any(isinstance(table.get(key), int) and table[key] > 1 for key in CHOICES):
        return True
    if any(table.get(key) == 0 and table[key] is not False for key in LOGPROBS):
        return True  # of text completions, and of prompts: those of the chosen tokens, and of no others
    return any(table.get(key) for key in MORE)
