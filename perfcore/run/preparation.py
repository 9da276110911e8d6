"""The request book: every body of a run, encoded before the clock starts, and the rows in its journal."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from perfcore.options import StressOptions
from perfcore.records.journal import JournalWriter, Kind
from perfcore.run import kept_book, server_tokens
from perfcore.run.book import BookWriter
from perfcore.run.making import parts
from perfcore.run.part import Form
from perfcore.run.rows import most_rows
from perfcore.run.supervision import NO_FILE
from perfcore.run.target import Target
from perfcore.run.writing import Prepared, Tell, untold, write
from perfcore.workload.conversation import turns
from perfcore.workload.dialect import Dialect, line_name
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Rows
from perfcore.workload.tokens import Tokenizer

SERVICE = "server"  # the --tokenizer that is the service's own


def prepare_book(
    path: Path,
    rows: Rows,
    form: Form,
    options: StressOptions,
    journal: JournalWriter,
    files: Iterable[Path] = (),
    tell: Tell = untold,
) -> Prepared:
    """Encode the body of each row into a book at `path`, or with --book there, and note the rows in the journal.

    A book that is there already is used as it is; `files` are those that decide what is in it.
    """
    made, total = parts(rows, form), len(rows) if isinstance(rows, Made) else None
    if options.book is not None:
        decided = kept_book.decisions(options, form, files, most_rows(options))
        done = kept_book.prepare(options.book, decided, made, total, journal, tell)
    else:
        with BookWriter(path) as book:
            done = write(book, made, total, journal, tell)
    limits = {"max_tokens": options.max_tokens, "max_tokens_otherwise": form.dialect.max_tokens}
    facts = {"note": "preparation", "tokenizer": options.tokenizer, **limits, **done.facts()}
    journal.append(Kind.NOTE, NO_FILE, msgspec.json.encode(facts))
    return done


def form_of(options: StressOptions, dialect: Dialect, target: Target, exact: bool) -> Form:
    """How the run's rows become requests; `exact` says that their answers are to have just the length asked for."""
    return Form(
        dialect=dialect,
        model=target.model,
        max_tokens=options.max_tokens,
        stream=options.stream,
        extra=options.body,
        exact=exact,
        history=options.history,
        think_s=options.think_s,
        sent_by_all=frozenset(map(line_name, target.headers)),
    )


def service_tokenizer(target: Target) -> Tokenizer:
    """The tokenizer that the service offers itself; raises UserError if it offers none."""
    return server_tokens.find(target.urls[0], target.headers, target.transport.curl, target.model)


def first_body(row: Row, form: Form) -> bytes:
    """Body of the first request of a row."""
    return next(turns(row, form.encoder(), form.history, form.think_s)).body
