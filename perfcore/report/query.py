"""Questions to run folders in SQL: DuckDB over their tables, which it can read and nothing else.

The tables are handed over as Arrow; DuckDB itself is shut off from files, network and extensions before the first word
of a question is read, and only a single SELECT is run. So a question can neither write nor reach beyond the runs.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as pq

from perfcore.errors import UserError
from perfcore.records.answers import answers
from perfcore.report.query_columns import DEFAULTS, OF_GROUPS, QUANTILES, RUN, TABLES, Column

SHUT: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
}
FILES = {"requests": "requests.parquet", "events": "events.parquet", "server": "server_metrics.parquet"}
BATCH = 10_000
ANY_TABLE = re.compile(r"\b(requests|events|outputs|server)\b", re.IGNORECASE)
NO_COLUMN = re.compile(r'Referenced column "([^"]*)"|does not have a column named "([^"]*)"')
NO_TABLE = re.compile(r"Table with name (\S+) does not exist")
PREFIX = re.compile(r"^\w+( \w+)? Error: ")


class Source(NamedTuple):
    """A run by the name that the column `run` has for it."""

    name: str
    folder: Path


class Answer(NamedTuple):
    """What came of a question: names of the columns, and rows a batch at a time."""

    names: list[str]
    batches: Iterator[list[tuple[Any, ...]]]


def asked(
    table: str,
    several: bool,
    columns: str | None = None,
    where: str | None = None,
    group_by: str | None = None,
    order: str | None = None,
    everything: bool = False,
) -> str:
    """The SQL of what flags ask for; of requests without `everything` only the measured ones."""
    chosen = columns or ", ".join(OF_GROUPS[table] if group_by else DEFAULTS[table])
    first = group_by if group_by and not begins_with(chosen, group_by) else RUN.name if several and not columns else ""
    conditions = ["phase = 'measured'"] if table == "requests" and not everything else []
    # Each on a line of its own, as a comment in it would swallow what follows.
    conditions += [f"({where}\n)"] if where else []
    lines = [f"select {', '.join(filter(None, (first, chosen)))}", f"from {table}"]
    lines += [f"where {' and '.join(conditions)}"] if conditions else []
    lines += [f"group by {group_by}"] if group_by else []
    lines += [f"order by {order or group_by}"] if order or group_by else []
    return "\n".join(lines)


def begins_with(columns: str, group_by: str) -> bool:
    """Whether the columns that are shown begin with what is grouped by."""
    return columns.replace(" ", "").startswith(group_by.replace(" ", ""))


def ask(sources: Sequence[Source], sql: str) -> Answer:
    """Run one SELECT over the tables of these runs; raises UserError for whatever is wrong with it."""
    connection = duckdb.connect(":memory:", config=SHUT)
    try:
        for name in dict.fromkeys(word.lower() for word in ANY_TABLE.findall(sql)):
            offer(connection, name, sources)
        for name, share in QUANTILES.items():
            connection.execute(f"create macro {name}(x) as quantile_cont(x, {share})")
        connection.execute("set lock_configuration = true")
        one_select(connection, sql)
        found = connection.execute(sql)
    except duckdb.Error as error:
        raise UserError(in_words(str(error), sql)) from None
    return Answer(distinct([column[0] for column in found.description or ()]), fetched(found, sql))


def one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise UserError for anything but a single statement that reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UserError("a query is one SELECT, as a run is never changed by it; leave out whatever else there is")


def fetched(found: duckdb.DuckDBPyConnection, sql: str) -> Iterator[list[tuple[Any, ...]]]:
    try:
        while rows := found.fetchmany(BATCH):
            yield rows
    except duckdb.Error as error:
        raise UserError(in_words(str(error), sql)) from None


def offer(connection: duckdb.DuckDBPyConnection, name: str, sources: Sequence[Source]) -> None:
    """Make a view of one table of all runs; where no run has it, none."""
    parts = []
    for place, source in enumerate(sources):
        held = opened(name, source.folder)
        if held is not None:
            raw = f"raw_{name}_{place}"
            connection.register(raw, held)
            parts.append(part(name, raw, held.schema, source))
    if parts:
        connection.execute(f"create view {name} as {' union all '.join(parts)}")


def opened(name: str, folder: Path) -> Any:
    """A table of a run as Arrow knows it; None where the run has none. Raises UserError for one that is damaged."""
    if name == "outputs":
        return answers(folder)
    path = folder / FILES[name]
    if name == "server" and not path.is_file():
        return None
    try:
        return arrow_dataset.dataset(path, format="parquet")
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read {path} ({reason}); make it again with: perfcore report {folder}") from None


def part(name: str, raw: str, schema: pa.Schema, source: Source) -> str:
    """SELECT of one run's part of a table; what an older run did not record is null."""
    shown = ", ".join(f'{expression(column, schema)} as "{column.name}"' for column in TABLES[name])
    return f"select {shown}, {quoted(source.name)} as run from ({inner(name, raw, schema, source.folder)})"


def inner(name: str, raw: str, schema: pa.Schema, folder: Path) -> str:
    """The columns of a file, and what others are computed from."""
    more, order = [f"{origin(folder)}::bigint as origin_ns"], ""
    if name == "requests" and not retried(folder):  # rows stay in their order, and need not be sorted
        more += ["due_ns as first_due_ns", "attempt as last_attempt"]
    elif name == "requests":
        more.append("min(due_ns) over (partition by request_id, turn) as first_due_ns")
        more.append("max(attempt) over (partition by request_id, turn) as last_attempt")
        order = " order by request_id, turn, attempt"
    elif name == "events":
        more.append("row_number() over () as place")
    labels = [f'"{field.name}"::varchar as "{field.name}"' for field in schema if pa.types.is_dictionary(field.type)]
    replaced = f" replace ({', '.join(labels)})" if labels else ""
    return f"select *{replaced}, {', '.join(more)} from {raw}{order}"


def retried(folder: Path) -> bool:
    """Whether any request was tried more than once."""
    attempts = pq.read_table(folder / FILES["requests"], columns=["attempt"])["attempt"]
    return bool(pc.any(pc.greater(attempts, 0)).as_py())


def expression(column: Column, schema: pa.Schema) -> str:
    if column.sql:
        return column.sql
    return f'"{column.name}"' if column.name in schema.names else "null"


def origin(folder: Path) -> str:
    """When the first measured request was due, in ns."""
    table = pq.read_table(folder / FILES["requests"], columns=["due_ns", "phase"])
    due = pc.min(table.filter(pc.equal(table["phase"], "measured"))["due_ns"]).as_py()
    return "null" if due is None else str(due)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def distinct(names: Sequence[str]) -> list[str]:
    """Names of columns, none of them twice."""
    found: list[str] = []
    for name in names:
        number, own = 2, name
        while own in found:
            own, number = f"{name}_{number}", number + 1
        found.append(own)
    return found


def in_words(message: str, sql: str) -> str:
    """What DuckDB complains of in one sentence, with the nearest name of what does not exist."""
    first = PREFIX.sub("", message.strip().splitlines()[0])
    if found := NO_COLUMN.search(message):
        return no_column(found[1] or found[2], sql)
    if found := NO_TABLE.search(message):
        return no_table(found[1])
    hint = next((line for line in message.splitlines() if line.startswith("Did you mean")), "")
    return f"the query cannot be run: {' '.join(filter(None, (first.rstrip('.'), hint)))}; see docs/query.md"


def no_column(name: str, sql: str) -> str:
    tables = list(dict.fromkeys(word.lower() for word in ANY_TABLE.findall(sql))) or ["requests"]
    known = [column.name for table in tables for column in TABLES[table]]
    nearest = difflib.get_close_matches(name.lower(), known, 1, cutoff=0.0)[0]
    return f"there is no column {name!r}; the nearest is {nearest!r}, and --columns help lists all of them"


def no_table(name: str) -> str:
    if name in TABLES:
        return f"none of these runs has the table {name}; collect it with --server-metrics"
    nearest = difflib.get_close_matches(name.lower(), TABLES, 1, cutoff=0.0)[0]
    return f"there is no table {name!r}; the nearest is {nearest!r}, and there are {', '.join(TABLES)}"


def known_table(name: str) -> str:
    """The table of this name; raises UserError for none."""
    if name not in TABLES:
        raise UserError(f"--table {name}: {no_table(name)}")
    return name
