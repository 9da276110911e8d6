"""The columns that `perfcore query` knows: one list, from which its tables, its help and docs/query.md are made."""

from collections.abc import Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """A column by its meaning, and how it is computed from others where the file does not hold it as it is."""

    name: str
    meaning: str
    sql: str = ""


def ms(later: str, earlier: str) -> str:
    return f"({later} - {earlier}) / 1e6"


RUN = Column("run", "name of the run's folder")

# What a whole latency ends with: of an answer in one piece the transfer itself.
OUTPUT = "case when streamed then last_output_ns else end_ns end"
FIRST, ANSWER = (f"case when streamed then {name} end" for name in ("first_token_ns", "first_answer_ns"))

REQUESTS = (
    Column("request_id", "position in the order in which requests were claimed, warm-ups first"),
    Column(
        "status",
        "ok, failed, or retried: another attempt followed this one",
        "case when error_class = 'ok' then 'ok' when attempt < last_attempt then 'retried' else 'failed' end",
    ),
    Column("phase", "warmup, measured or filler"),
    Column("index", "row of the data set"),
    Column("repeat", "how often the data set had been used up before"),
    Column("turn", "turn of a conversation, from 0"),
    Column("attempt", "attempt, from 0"),
    Column("worker", "process that sent it"),
    Column("target", "which of several URLs it was sent to, from 0"),
    Column("ttft_ms", "first token event - sent", f"({FIRST} - sent_ns) / 1e6"),
    Column(
        "ttft_from_intended_ms", "first token event - due time of the first attempt", f"({FIRST} - first_due_ns) / 1e6"
    ),
    Column("ttfa_ms", "first token event that is not reasoning - sent", f"({ANSWER} - sent_ns) / 1e6"),
    Column(
        "ttfa_from_intended_ms",
        "first token event that is not reasoning - due time of the first attempt",
        f"({ANSWER} - first_due_ns) / 1e6",
    ),
    Column("e2el_ms", "last output - sent; of an answer in one piece end - sent", f"({OUTPUT} - sent_ns) / 1e6"),
    Column(
        "e2el_from_intended_ms",
        "last output (end of an answer in one piece) - due time of the first attempt",
        f"({OUTPUT} - first_due_ns) / 1e6",
    ),
    Column(
        "tpot_ms",
        "(E2EL - TTFT) / (output tokens - 1); none with one output token or fewer",
        "case when streamed and output_tokens > 1 then (last_output_ns - first_token_ns) / 1e6 / (output_tokens - 1) "
        "end",
    ),
    Column(
        "itl_mean_ms",
        "mean gap between the token events of the request",
        "case when streamed and token_events > 1 then (last_token_ns - first_token_ns) / 1e6 / (token_events - 1) end",
    ),
    Column("slip_ms", "sent - due: how late the client was", ms("sent_ns", "due_ns")),
    Column(
        "connect_ms",
        "name lookup + TCP + TLS of a new connection; none on a reused one",
        "case when new_connection then (dns_ns + tcp_ns + tls_ns) / 1e6 end",
    ),
    Column("ttfb_ms", "first byte of the body - sent", ms("first_byte_ns", "sent_ns")),
    Column("due_s", "due, seconds after the first measured request was due", "(due_ns - origin_ns) / 1e9"),
    Column("sent_s", "sent, seconds after the first measured request was due", "(sent_ns - origin_ns) / 1e9"),
    Column(
        "end_s", "end of the transfer, seconds after the first measured request was due", "(end_ns - origin_ns) / 1e9"
    ),
    Column("input_tokens", "input tokens, by input_token_source"),
    Column("output_tokens", "output tokens, by token_source"),
    Column("reasoning_tokens", "output tokens that were reasoning"),
    Column("cached_tokens", "input tokens that the server had cached"),
    Column("token_source", "where output_tokens comes from: server, tokenizer, or events (an estimate)"),
    Column("input_token_source", "where input_tokens comes from"),
    Column("input_tokens_asked", "input length that the data set asked for"),
    Column("input_tokens_counted", "what our tokenizer counted before the run"),
    Column("output_tokens_asked", "the most output tokens that the request allowed"),
    Column("token_events", "events with generated text"),
    Column("events", "all events"),
    Column("bad_json", "events that were not valid JSON"),
    Column("bytes_received", "bytes of the body"),
    Column("finish_reason", "as the server gave it"),
    Column("http_status", "0 if no response came"),
    Column("error_class", "ok, or the class of the failure (docs/failures.md)"),
    Column(
        "error",
        "message of a failure, or its class where it has none; null means success",
        "case when error_class <> 'ok' then coalesce(error, error_class) end",
    ),
    Column("retry_after_ns", "how long the server asked to wait"),
    Column("streamed", "the answer was read as a stream of events"),
    Column("new_connection", "a connection was opened for it"),
    Column("after_stop", "ended after sending had stopped"),
    Column("dataset", "name of the data set that its row is of"),
    Column("model", "model that its row asks for in the place of the run's own"),
    Column("due_ns", "when it should have been sent, ns of CLOCK_MONOTONIC"),
    Column("sent_ns", "when it was handed to libcurl"),
    Column("uploaded_ns", "last byte of the request written"),
    Column("first_byte_ns", "first byte of the answer"),
    Column("first_token_ns", "first event with generated text"),
    Column("first_answer_ns", "first such event that is not reasoning"),
    Column("last_token_ns", "last event with generated text"),
    Column("last_output_ns", "last event with generated text or a finish reason"),
    Column("end_ns", "end of the transfer"),
    Column("dns_ns", "duration of the name lookup, 0 on a reused connection"),
    Column("tcp_ns", "duration of the TCP handshake"),
    Column("tls_ns", "duration of the TLS handshake"),
)

EVENTS = (
    Column("request_id", "of the event's request"),
    Column("kind", "role, content, reasoning, tool, finish, usage, done, error, bad_json or other"),
    Column("t_s", "seconds after the first measured request was due", "(t_ns - origin_ns) / 1e9"),
    Column(
        "gap_ms",
        "of a token event: since the one before it of the same request_id, whose attempts and turns follow each other",
        "case when chars > 0 then (t_ns - max(case when chars > 0 then t_ns end) over (partition by request_id "
        "order by place rows between unbounded preceding and 1 preceding)) / 1e6 end",
    ),
    Column("chars", "characters of generated text; more than 0 makes it a token event"),
    Column("t_ns", "the wake-up that found the event's socket readable, ns of CLOCK_MONOTONIC"),
    Column("read_delay_ns", "from then until it was read"),
    Column("read_seq", "number of the read; events of a request with the same number came together"),
)

OUTPUTS = (
    Column("request_id", "of the line's request"),
    Column("id", "the row's own id"),
    Column("index", "row of the data set"),
    Column("repeat", "how often the data set had been used up before"),
    Column("turn", "turn of a conversation, from 0"),
    Column("prompt", "what was asked: a text, or the messages as JSON"),
    Column("prediction", "the text of the answer"),
    Column("reasoning", "what the model thought before it"),
    Column("tool_arguments", "the arguments of all tool calls, joined"),
    Column("tool_calls", "the tool calls as JSON"),
    Column("finish_reason", "as the server gave it"),
    Column("error", "class and message of a failure"),
    Column("reference", "the row's reference: a text, or JSON"),
    Column("meta", "the row's meta as JSON"),
    Column("dataset", "name of the data set"),
    Column("subset", "part of the data set"),
    Column("model", "model that the row asks for in the place of the run's own"),
)

SERVER = (
    Column("t_s", "seconds after the first measured request was due", "(t_ns - origin_ns) / 1e9"),
    Column("url", "URL of the metrics, without secrets"),
    Column("name", "name of the metric"),
    Column("labels", "its labels as JSON"),
    Column("value", "its value"),
    Column("t_ns", "first byte of the answer that held it, ns of CLOCK_MONOTONIC"),
)

TABLES: Mapping[str, tuple[Column, ...]] = {
    "requests": REQUESTS,
    "events": EVENTS,
    "outputs": OUTPUTS,
    "server": SERVER,
}

# What is shown where --columns names none.
DEFAULTS = {
    "requests": ("request_id", "status", "ttft_ms", "tpot_ms", "e2el_ms", "input_tokens", "output_tokens", "error"),
    "events": ("request_id", "t_s", "kind", "chars", "gap_ms"),
    "outputs": ("request_id", "id", "finish_reason", "error", "prompt", "prediction"),
    "server": ("t_s", "name", "labels", "value"),
}

# The same of groups.
OF_GROUPS = {
    "requests": (
        "count(*) as requests",
        "avg(ttft_ms) as ttft_mean_ms",
        "p99(ttft_ms) as ttft_p99_ms",
        "avg(tpot_ms) as tpot_mean_ms",
        "avg(e2el_ms) as e2el_mean_ms",
        "p99(e2el_ms) as e2el_p99_ms",
        "sum(output_tokens) as output_tokens",
    ),
    "events": ("count(*) as events", "sum(chars) as chars", "p50(gap_ms) as gap_p50_ms", "p99(gap_ms) as gap_p99_ms"),
    "outputs": ("count(*) as answers", "avg(length(prediction)) as characters_mean"),
    "server": ("count(*) as samples", "min(value) as least", "avg(value) as mean", "max(value) as most"),
}

# Shorthands in SQL: p99(x) is quantile_cont(x, 0.99).
QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}


def listing(table: str, several: bool = False) -> str:
    """The columns of a table with their meanings, one a line."""
    shown = [*TABLES[table], RUN] if several else TABLES[table]
    width = max(len(column.name) for column in shown)
    return "\n".join(f"{column.name:<{width}}  {column.meaning}" for column in shown)
