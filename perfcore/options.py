"""The one list of options: flags, keys of --config, names in the environment and docs/options.md derive from it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from perfcore import values

YEAR_S = 365 * 86400
INT32, INT64 = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default."""

    parse: Callable[[object], Any]
    metavar: str
    help: str
    least: float | None = None
    above: float | None = None  # exclusive
    most: float | None = None
    unset: str = ""  # what happens without it, where the default is none
    many: bool = False  # the flag may be repeated
    also: str = ""  # one more name in the environment

    def limits(self) -> str:
        """Allowed range in words, or an empty string."""
        if self.most is None:
            return ""
        low = f"at least {self.least:,}" if self.above is None else f"more than {self.above:,}"
        return f"{low} and at most {self.most:,}"

    def check(self, value: object) -> Any:
        """Value of the option's type and within its range; raises ValueError saying what is wanted."""
        parsed = self.parse(value)
        low = (self.least is not None and parsed < self.least) or (self.above is not None and parsed <= self.above)
        if low or (self.most is not None and parsed > self.most):
            raise ValueError(f"wants a value of {self.limits()}")
        return parsed


def text(metavar: str, words: str, **more: Any) -> Option:
    """Option whose value is text."""
    return Option(values.text, metavar, words, **more)


def count(words: str, least: int, most: int, **more: Any) -> Option:
    """Option whose value is a whole number from `least` to `most`."""
    return Option(values.integer, "N", words, least=least, most=most, **more)


def per_second(words: str, most: int, **more: Any) -> Option:
    """Option whose value is a rate above 0."""
    return Option(values.number, "R", words, above=0, most=most, **more)


def seconds(words: str, **more: Any) -> Option:
    """Option whose value is a time."""
    return Option(values.duration, "TIME", words, most=YEAR_S, **more)


def choice(words: str, *names: str) -> Option:
    """Option whose value is one of several names."""
    return Option(values.choice(*names), "|".join(names), words)


def file(words: str, **more: Any) -> Option:
    """Option whose value is the path of a file."""
    return Option(values.path, "FILE", words, **more)


def switch(words: str) -> Option:
    """Option that is on or off."""
    return Option(values.switch, "", words)


@dataclass(frozen=True, kw_only=True)
class StressOptions:
    """Every option of `perfcore stress`. Times are in seconds; None says that an option was not given."""

    preset: Annotated[
        str | None,
        text(
            "NAME|FILE",
            "Options of a kind of service to start from: a name from `perfcore list presets`, or a file.",
            unset="none",
        ),
    ] = None
    preset_model: Annotated[
        str | None,
        text("NAME", "Model (its abbr) to take from an AISBench file that has several.", unset="the only one"),
    ] = None
    url: Annotated[
        tuple[str, ...],
        Option(
            values.urls,
            "URL",
            "Service to load: a base URL (http://host:8000, http://host:8000/v1) or the full URL of its requests; "
            "repeatable for several replicas.",
            many=True,
            unset="the built-in simulator is started",
        ),
    ] = ()
    balance: Annotated[
        str,
        choice(
            "How requests are dealt out over several URLs; sticky keeps each row of the data set on one.",
            "round_robin",
            "least_in_flight",
            "sticky",
        ),
    ] = "round_robin"
    dialect: Annotated[
        str, text("NAME", "How the service is spoken to: a name from `perfcore list dialects` or a .toml file.")
    ] = "openai-chat"
    model: Annotated[str | None, text("NAME", "Model to ask for.", unset="the first one that the service lists")] = None
    header: Annotated[
        tuple[str, ...],
        Option(
            values.headers,
            "'NAME: VALUE'",
            "Header to send with each request; repeatable. Values that look like secrets are written nowhere.",
            many=True,
        ),
    ] = ()
    api_key_env: Annotated[
        str | None,
        text("NAME", "Environment variable with the API key, sent as a bearer token.", unset="no key is sent"),
    ] = None

    dataset: Annotated[
        Path | None,
        Option(
            values.path,
            "FILE",
            "Requests to send: JSON lines with `prompt`, `question` or `messages`, also as .gz.",
            unset="the prompt is sent",
        ),
    ] = None
    prompt: Annotated[
        tuple[str, ...],
        Option(
            values.texts,
            "TEXT",
            "Prompt to send instead of a data set; repeatable, sent in turn.",
            many=True,
            unset="a built-in one where there is no data set either",
        ),
    ] = ()
    max_tokens: Annotated[
        int | None,
        count(
            "Tokens that an answer may have; goes before a data set's own number.",
            1,
            INT32,
            unset="the data set's, else the service's limit",
        ),
    ] = None
    body: Annotated[
        dict[str, Any],
        Option(
            values.table,
            "KEY=JSON",
            "Value to merge into each request's body; repeatable. Dotted keys nest, null removes a key, "
            "what is not JSON is text.",
            many=True,
        ),
    ] = field(default_factory=dict)
    stream: Annotated[bool, switch("Ask for streamed answers.")] = True
    think_tags: Annotated[
        str,
        Option(
            values.think_tags,
            "auto|off|OPEN,CLOSE",
            "Tags that mark reasoning within the text of an answer; auto is <think>,</think>.",
        ),
    ] = "auto"
    keep_events: Annotated[
        str,
        choice(
            "Keep the JSON of each event, from which tool calls, choices and log probabilities are put together; "
            "auto: where the first request asks for any of these.",
            "auto",
            "always",
            "never",
        ),
    ] = "auto"

    concurrency: Annotated[
        int | None,
        count(
            "Requests in flight at once; together with a rate, the most that may be.",
            1,
            1_000_000,
            unset="8 where no rate is given, else no limit",
        ),
    ] = None
    rate: Annotated[
        float | None,
        per_second("Requests to start per second, evenly spaced.", 10_000_000, unset="as fast as answers come"),
    ] = None
    requests: Annotated[
        int | None,
        count(
            "Requests to send; a data set that is shorter is cycled.",
            1,
            INT64,
            unset="without a duration one pass over the data set, or 100 with a prompt",
        ),
    ] = None
    duration_s: Annotated[
        float | None,
        seconds("Time after which no request is started (30s, 2m, 1h).", above=0, unset="until all requests are sent"),
    ] = None
    ramp: Annotated[
        float | None,
        per_second("Clients to add per second until the concurrency is reached.", 1_000_000, unset="all start at once"),
    ] = None
    history: Annotated[
        str,
        choice(
            "What later turns of a conversation have as history: the service's own answers without its thoughts (own), "
            "or the data set's (data).",
            "own",
            "data",
        ),
    ] = "own"
    think_s: Annotated[
        float, seconds("Time between an answer and the next turn of its conversation; a row may give its own.", least=0)
    ] = 0.0
    warmups: Annotated[int, count("Requests to send and finish first, left out of every figure.", 0, INT32)] = 0
    timeout_s: Annotated[float, seconds("Time that a request may take in all; 0 for no limit.", least=0)] = 600.0
    connect_timeout_s: Annotated[
        float, seconds("Time that name lookup, TCP and TLS of a connection may take together.", above=0)
    ] = 60.0
    first_byte_timeout_s: Annotated[
        float, seconds("Time from sending a request to the first byte of its answer; 0 for no limit.", least=0)
    ] = 0.0
    idle_timeout_s: Annotated[
        float, seconds("Time that may pass between two reads of an answer; 0 for no limit.", least=0)
    ] = 0.0
    retries: Annotated[
        int,
        count(
            "Further attempts for a request that found no connection, was told 429 or 5xx, or lost its connection.",
            0,
            100,
        ),
    ] = 0
    grace_s: Annotated[float, seconds("Time that running requests get to finish after an interrupt.", least=0)] = 30.0
    seed: Annotated[int, count("Seed of all that is random.", 0, INT64)] = 0

    cacert: Annotated[
        Path | None,
        file("Certificate authorities to trust, PEM.", unset="SSL_CERT_FILE, else those of the system"),
    ] = None
    cert: Annotated[
        Path | None,
        file("Certificate to show to the service (mTLS), PEM or .p12.", unset="none is shown"),
    ] = None
    key: Annotated[
        Path | None,
        file("Private key of the certificate, PEM, without a passphrase.", unset="it is in the file of --cert"),
    ] = None
    insecure: Annotated[
        bool, switch("Trust any certificate, whoever it belongs to. The report says that none was verified.")
    ] = False
    http: Annotated[
        str,
        choice(
            "Version of HTTP. 2 is agreed on in TLS, 2-prior-knowledge is spoken at once, also without TLS.",
            "1.1",
            "2",
            "2-prior-knowledge",
            "3",
        ),
    ] = "1.1"
    multiplex: Annotated[
        bool, switch("Send requests over one connection side by side, in HTTP/2 and HTTP/3; else one at a time.")
    ] = True
    connections: Annotated[
        str,
        choice(
            "Whether requests take over connections that stand (pooled), open their own (new), or stay on those of "
            "their client, and so of their conversation (sticky).",
            "pooled",
            "new",
            "sticky",
        ),
    ] = "pooled"
    unix_socket: Annotated[
        Path | None,
        Option(values.path, "PATH", "Unix socket to connect to, whatever host the URL names.", unset="TCP is used"),
    ] = None
    resolve: Annotated[
        tuple[str, ...],
        Option(
            values.resolutions,
            "HOST:PORT:ADDRESS",
            "Address to take for a host instead of asking the name service; repeatable.",
            many=True,
        ),
    ] = ()
    proxy: Annotated[
        str | None,
        text(
            "URL|env",
            "Proxy to go through: its URL (http, https, socks5, socks5h), or env for what the environment names, "
            "which leaves loopback and private addresses direct.",
            unset="none, whatever the environment says",
        ),
    ] = None

    check: Annotated[
        bool, switch("Send one request first that is not measured, and refuse a run that could only fail.")
    ] = True
    workers: Annotated[int, count("Processes that send; 0 to choose.", 0, 1024, also="WORKERS_NUM")] = 0
    max_event_bytes: Annotated[
        int,
        Option(
            values.size, "SIZE", "Longest event of an answer; a longer one fails its request.", least=4096, most=INT32
        ),
    ] = 64 * 2**20
    ring_mib: Annotated[int, count("Buffer between a worker and the journal, in MiB.", 1, 4096)] = 16

    out: Annotated[
        Path | None,
        Option(values.path, "DIR", "Folder to write the run to.", unset="outputs/<time>-stress"),
    ] = None
    quiet: Annotated[bool, switch("Print nothing but errors.")] = False
    json: Annotated[bool, switch("Print metrics.json to standard output instead of tables.")] = False

    local: Annotated[
        str | None,
        Option(
            values.choice("hf", "vllm"),
            "hf|vllm",
            "Start a server for a model on this machine and load that: `transformers serve`, or vLLM.",
            unset="no server is started",
        ),
    ] = None
    local_path: Annotated[
        Path | None,
        Option(
            values.path,
            "PATH",
            "Folder of the model for --local, or its name in the model cache.",
            unset="--local asks for it",
        ),
    ] = None
    local_python: Annotated[
        Path | None,
        Option(
            values.path,
            "PROGRAM",
            "Python of the environment that has the server of --local.",
            unset="the one that runs perfcore",
        ),
    ] = None
    local_options: Annotated[
        dict[str, Any],
        Option(
            values.table,
            "KEY=JSON",
            "Option of the server of --local, such as dtype=bfloat16; repeatable. true is --key, false --no-key.",
            many=True,
        ),
    ] = field(default_factory=dict)
    local_timeout_s: Annotated[
        float, seconds("Time that the server of --local may take until it is ready.", above=0)
    ] = 1800.0


OPTIONS: dict[str, Option] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(StressOptions, include_extras=True).items()
}


def key_of(name: str) -> str:
    """Key of an option in files: its name less the unit of time, since a value may bring its own (30s, 2m)."""
    return name.removesuffix("_s")


def flag_of(name: str) -> str:
    """Flag of an option."""
    return "--" + key_of(name).replace("_", "-")


def variable_of(name: str) -> str:
    """Name of an option in the environment."""
    return "PERFCORE_" + key_of(name).upper()
