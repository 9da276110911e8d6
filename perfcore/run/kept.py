"""Whether the events of answers are kept as they came: some answers can be put together from nothing less."""

from collections.abc import Iterable
from typing import Any

import msgspec

from perfcore.options import StressOptions
from perfcore.run.preparation import rows_of
from perfcore.workload.dialect import Dialect, body

# Keys of a body that ask for more than one text, in any of the forms that services have for it.
CHOICES = ("n", "num_return_sequences")
MORE = ("tools", "functions", "logprobs", "top_logprobs", "return_logprob", "n_probs", "top_n_tokens")


def keeps_events(options: StressOptions, dialect: Dialect, model: str | None) -> bool:
    """As --keep-events says; where that is auto, if the first request asks for what only events hold."""
    if options.keep_events != "auto":
        return options.keep_events == "always"
    extra, stream = options.body, options.stream
    firsts = (
        body(dialect, row, model=model, max_tokens=options.max_tokens, stream=stream, extra=extra)
        for row in rows_of(options)
    )
    first = next(firsts, None)
    return first is not None and asks_for_more([msgspec.json.decode(first)])


def asks_for_more(tables: Iterable[Any]) -> bool:
    """Whether one of these tables, or a table directly below (`parameters`, `sampling_params`), has such a key."""
    found = [table for table in tables if isinstance(table, dict)]
    found += [below for table in found for below in table.values() if isinstance(below, dict)]
    return any(asks(table) for table in found)


def asks(table: dict[str, Any]) -> bool:
    if any(isinstance(table.get(key), int) and table[key] > 1 for key in CHOICES):
        return True
    if table.get("logprobs") == 0 and table["logprobs"] is not False:
        return True  # of text completions: those of the chosen tokens, and of no others
    return any(table.get(key) for key in MORE)
