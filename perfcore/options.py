"""The one list of options: flags, keys of --config, names in the environment and docs/options.md derive from it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from perfcore import values
from perfcore.option import INT32, INT64, Option, choice, count, file, number, per_second, seconds, swept, switch, text
from perfcore.slo import texts as objectives

EVAL = ("eval",)
# What measures speed alone: `perfcore eval` asks each question once, or as often as it is repeated.
LOADS = ("stress", "steady", "tune")


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
            in_eval="a RUN, or --predictions, gives the answers",
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
        tuple[str, ...],
        Option(
            values.names,
            "NAME|PATH[,NAME...]",
            "What to send: names from `perfcore list datasets`, or files or folders of rows; several are mixed.",
            many=True,
            unset="the prompt is sent",
            in_eval="what a RUN was asked",
        ),
    ] = ()
    weights: Annotated[
        tuple[float, ...],
        Option(
            values.weights,
            "W[,W...]",
            "Shares of the data sets in a mix, in their order.",
            unset="each gives all its rows, one after the other",
            only=LOADS,
        ),
    ] = ()
    dataset_args: Annotated[
        dict[str, Any],
        Option(
            values.table,
            "KEY=JSON",
            "Setting of the data set, such as prefix_tokens=512; repeatable. `perfcore list datasets NAME` has them.",
            many=True,
        ),
    ] = field(default_factory=dict)
    data_dir: Annotated[
        Path | None,
        Option(
            values.path,
            "DIR",
            "Folder where files of data sets are looked for first.",
            unset="./data, then ~/.cache/perfcore/data",
        ),
    ] = None
    config_dir: Annotated[
        Path | None,
        Option(
            values.path,
            "DIR",
            "Folder with presets of your own, in models, datasets and judges; they go before the built-in ones.",
            unset="the built-in ones alone",
        ),
    ] = None
    download: Annotated[bool, switch("Fetch files of a data set that are not there, into the data folder.")] = False
    num_prompts: Annotated[
        int | None, count("Rows to take of the data set.", 1, INT64, unset="all, of synthetic ones as many as are sent")
    ] = None
    offset: Annotated[int, count("Rows of the data set to pass over first.", 0, INT64)] = 0
    shuffle: Annotated[bool, switch("Send the rows in an order that the seed draws.")] = False
    input_tokens: Annotated[
        str | None,
        text(
            "LENGTHS",
            "Length of synthetic prompts: 1000, uniform:100:2000, gaussian:MEAN:STD[:MIN:MAX], lognormal:MEAN:STD"
            "[:MIN:MAX], zipf:ALPHA:MIN:MAX, table:128=0.5,1024=0.5, or file:PATH.",
            unset="512 of a synthetic data set",
        ),
    ] = None
    output_tokens: Annotated[
        str | None,
        text(
            "LENGTHS",
            "Length of answers to ask for, in the same forms; goes before a data set's own.",
            unset="the data set's, else --max-tokens",
        ),
    ] = None
    ignore_eos: Annotated[
        bool, switch("Ask for answers of exactly the length asked for, where the service can be told so.")
    ] = False
    tokenizer: Annotated[
        str | None,
        text(
            "PATH|NAME|server",
            "Tokenizer of the model, for exact lengths and counts: its folder, its name in the model cache, or server "
            "for what the service itself offers.",
            unset="lengths of synthetic prompts are estimates, and tokens are counted by the service",
        ),
    ] = None
    trust_remote_code: Annotated[bool, switch("Run code that a tokenizer brings along.")] = False
    model_weights: Annotated[
        dict[str, Any],
        Option(
            values.shares,
            "NAME=SHARE",
            "Model or LoRA adapter to ask for in a share of the requests; repeatable.",
            many=True,
            only=LOADS,
        ),
    ] = field(default_factory=dict)
    lora: Annotated[
        Path | None,
        file("JSON object from the id of a row to the LoRA adapter to ask for.", unset="all rows ask for the model"),
    ] = None
    book: Annotated[
        Path | None,
        file(
            "Prepared requests: written there, and used again by a run with the same data.",
            unset="they are prepared for each run",
            only=LOADS,
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
            only=LOADS,
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
        swept(
            count(
                "Requests in flight at once; together with a rate, the most that may be. Several make a sweep.",
                1,
                1_000_000,
                unset="8 where no rate is given, else no limit",
                in_eval="8",
            )
        ),
    ] = None
    rate: Annotated[
        float | None,
        swept(
            per_second(
                "Requests to start per second. Several make a sweep.",
                10_000_000,
                unset="as fast as answers come",
                only=LOADS,
            )
        ),
    ] = None
    arrivals: Annotated[
        str | None,
        Option(
            values.choice("constant", "poisson", "gamma", "uniform", "burst", "replay"),
            "constant|poisson|gamma|uniform|burst|replay",
            "How requests of a rate are spread in time: evenly, as a Poisson process, with gaps of a gamma or a "
            "uniform distribution, all at once, or at the times that the data set gives.",
            unset="gamma where a burstiness is given, else constant",
            only=LOADS,
        ),
    ] = None
    burstiness: Annotated[
        float | None,
        number(
            "Shape of the gamma distribution of gaps: 0 constant, below 1 bursty, 1 Poisson, above 1 smoother.",
            least=0,
            most=1_000_000,
            unset="1 with gamma arrivals",
            only=LOADS,
        ),
    ] = None
    ramp_up_strategy: Annotated[
        str | None,
        Option(
            values.choice("linear", "exponential"),
            "linear|exponential",
            "Have the rate go from --ramp-up-start-rps to --ramp-up-end-rps over the requests of the run.",
            unset="the rate stays",
            only=LOADS,
        ),
    ] = None
    ramp_up_start_rps: Annotated[
        float | None,
        number("Rate at the start of the ramp.", least=0, most=10_000_000, unset="a ramp asks for it", only=LOADS),
    ] = None
    ramp_up_end_rps: Annotated[
        float | None, number("Rate at the end of the ramp.", least=0, most=10_000_000, unset="--rate", only=LOADS)
    ] = None
    rate_shape: Annotated[
        str | None,
        text(
            "SHAPE",
            "Rate over time: steps:5@30s,10@30s; spikes:EVERY,FOR,TIMES; onoff:ON,OFF; sine:PERIOD,DEPTH; see "
            "docs/arrivals.md.",
            unset="it stays",
            only=LOADS,
        ),
    ] = None
    speed: Annotated[
        float,
        Option(values.number, "X", "How much faster than recorded a replay goes.", above=0, most=1_000_000, only=LOADS),
    ] = 1.0
    replay_start_s: Annotated[
        float, seconds("Time in the recording at which a replay starts, from its first request.", least=0, only=LOADS)
    ] = 0.0
    replay_end_s: Annotated[
        float | None,
        seconds("Time in the recording at which a replay ends.", above=0, unset="the end of the recording", only=LOADS),
    ] = None
    timestamp_unit: Annotated[
        str,
        choice(
            "Unit of numbers in a column of timestamps; those written as dates say it themselves.",
            "s",
            "ms",
            only=LOADS,
        ),
    ] = "s"
    requests: Annotated[
        int | None,
        swept(
            count(
                "Requests to send; a data set that is shorter is cycled. A sweep may have a number for each point.",
                1,
                INT64,
                unset="without a duration one pass over the data set, or 100 with a prompt",
                only=LOADS,
            )
        ),
    ] = None
    duration_s: Annotated[
        float | None,
        seconds(
            "Time after which no request is started (30s, 2m, 1h).",
            above=0,
            unset="until all requests are sent",
            only=LOADS,
        ),
    ] = None
    precision: Annotated[
        float | None,
        Option(
            values.share_of_one,
            "PERCENT",
            "Measure until output tokens per second are known this well: half the width of their 95 % interval, such "
            "as 2%.",
            above=0,
            most=1,
            unset="the window ends after a duration or a number of requests",
            only=("steady", "tune"),
        ),
    ] = None
    max_duration_s: Annotated[
        float | None,
        seconds(
            "Time after which a window is ended, or no longer looked for.",
            above=0,
            unset="ten times the duration, at least 10 minutes",
            only=("steady", "tune"),
        ),
    ] = None
    slo: Annotated[
        tuple[str, ...],
        Option(
            objectives,
            "OBJECTIVE[,...]",
            "Objectives of the service, such as ttft_p99<=500ms,tpot_p99<=50ms, in quotes for the shell: goodput "
            "counts the requests that meet them. docs/slo.md has all.",
            many=True,
            unset="there is no goodput",
        ),
    ] = ()
    variable: Annotated[
        str | None,
        Option(
            values.choice("concurrency", "rate"),
            "concurrency|rate",
            "The load whose largest value that meets the objectives is looked for.",
            unset="concurrency",
            only=("tune",),
        ),
    ] = None
    low: Annotated[
        float | None,
        number(
            "Smallest load to try, and the first one.",
            above=0,
            most=1_000_000,
            unset="a concurrency of 1; a rate of 1, and if that fails less",
            only=("tune",),
        ),
    ] = None
    high: Annotated[
        float | None,
        number(
            "Largest load to try.",
            above=0,
            most=1_000_000,
            unset="a concurrency of 4096, a rate of 10,000",
            only=("tune",),
        ),
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
            in_eval="5",
        ),
    ] = 0
    cooldown_s: Annotated[float, seconds("Pause between the runs of a sweep.", least=0, only=LOADS)] = 5.0
    resume: Annotated[
        bool, switch("Go on with a sweep, a set of runs or an evaluation in --out: what is there is not asked again.")
    ] = False
    grace_s: Annotated[float, seconds("Time that running requests get to finish after an interrupt.", least=0)] = 30.0
    seed: Annotated[int, count("Seed of all that is random.", 0, INT64)] = 0

    limit: Annotated[
        float | None,
        number(
            "Questions of each subset to take: a number from 1 on, or a share below 1 such as 0.1.",
            above=0,
            most=INT32,
            unset="all",
            only=EVAL,
        ),
    ] = None
    repeats: Annotated[
        int | None, count("Answers to ask for each question.", 1, 100_000, unset="the data set's, mostly 1", only=EVAL)
    ] = None
    k: Annotated[
        tuple[int, ...],
        Option(
            values.counts,
            "K[,K...]",
            "Of repeated questions: the k of pass@k, pass^k and cons@k.",
            unset="1 and the number of repeats",
            only=EVAL,
        ),
    ] = ()
    evaluation: Annotated[
        dict[str, Any],
        Option(
            values.table,
            "KEY=JSON",
            "Setting of how answers are scored, over that of the data set's preset: evaluator=math, "
            "args.options=ABCD, filters=[...]; repeatable. docs/accuracy.md has all.",
            many=True,
            only=EVAL,
        ),
    ] = field(default_factory=dict)
    merge_ds: Annotated[
        bool, switch("Ask for all data sets of a model in one run, and score each by itself.", only=EVAL)
    ] = False
    parallel_tasks: Annotated[
        int,
        count("Data sets that are asked for side by side, each at the full concurrency.", 1, 256, only=EVAL),
    ] = 1
    rescore: Annotated[
        bool, switch("Score what the folder in --out has once more, and ask the service nothing.", only=EVAL)
    ] = False
    reuse: Annotated[
        str | None,
        text(
            "latest|DIR",
            "Folder of an earlier evaluation to go on with, as --out with --resume does.",
            unset="a new folder",
            only=EVAL,
        ),
    ] = None
    dump_details: Annotated[
        bool, switch("Keep what was found of each answer: results/<model>/<dataset>.jsonl.", only=EVAL)
    ] = False
    predictions: Annotated[
        tuple[Path, ...],
        Option(
            values.paths,
            "FILE",
            "Answers that another tool saved, to be scored in the place of a run; repeatable. --format says what "
            "wrote them, --dataset what they answer.",
            many=True,
            unset="a run, or a service, gives the answers",
            only=EVAL,
        ),
    ] = ()
    format: Annotated[
        str | None,
        Option(
            values.choice("jsonl", "aisbench", "evalscope"),
            "jsonl|aisbench|evalscope",
            "What wrote --predictions; jsonl is outputs.jsonl.",
            unset="jsonl",
            only=EVAL,
        ),
    ] = None
    judge: Annotated[
        tuple[str, ...],
        Option(
            values.names,
            "NAME|FILE[,NAME...]",
            "Judges: files that say where each is and what it is told, or names in the folder judges; docs/judges.md.",
            many=True,
            unset="one that the flags below describe, where one is wanted",
            only=EVAL,
        ),
    ] = ()
    judge_strategy: Annotated[
        str | None,
        Option(
            values.choice("auto", "rule", "llm", "llm_recall"),
            "auto|rule|llm|llm_recall",
            "What judges see: nothing (rule), every answer (llm), those that the rule has wrong (llm_recall), or every "
            "answer where there is no rule (auto).",
            unset="the data set's, mostly auto",
            only=EVAL,
        ),
    ] = None
    judge_url: Annotated[str | None, text("URL", "Service of the judge.", unset="that of --judge", only=EVAL)] = None
    judge_model: Annotated[
        str | None,
        text("NAME", "Model to ask for as a judge.", unset="that of --judge, else the first that is listed", only=EVAL),
    ] = None
    judge_dialect: Annotated[
        str | None, text("NAME", "How the judge is spoken to, as --dialect.", unset="openai-chat", only=EVAL)
    ] = None
    judge_api_key_env: Annotated[
        str | None, text("NAME", "Environment variable with the judge's API key.", unset="no key is sent", only=EVAL)
    ] = None
    judge_api_key_file: Annotated[
        str | None, text("FILE", "File whose first line is the judge's API key.", unset="no key is sent", only=EVAL)
    ] = None
    judge_concurrency: Annotated[
        int | None, count("Questions to a judge in flight at once.", 1, 1_000_000, unset="8", only=EVAL)
    ] = None
    judge_timeout_s: Annotated[
        float | None, seconds("Time that a judge may take.", least=0, unset="10 minutes", only=EVAL)
    ] = None
    judge_retries: Annotated[
        int | None, count("Further attempts for a question to a judge.", 0, 100, unset="5", only=EVAL)
    ] = None
    judge_max_tokens: Annotated[
        int | None, count("Tokens that a judge's reply may have.", 0, INT32, unset="4096", only=EVAL)
    ] = None
    judge_temperature: Annotated[
        float | None, number("Temperature of the judge.", least=0, most=100, unset="0", only=EVAL)
    ] = None
    judge_body: Annotated[
        dict[str, Any],
        Option(
            values.table,
            "KEY=JSON",
            "Value to merge into each request to a judge, as --body; repeatable.",
            many=True,
            only=EVAL,
        ),
    ] = field(default_factory=dict)
    allow_code_execution: Annotated[
        bool,
        switch(
            "Run the programs that a model wrote, in the sandbox, for the data sets that are scored by it.", only=EVAL
        ),
    ] = False
    processes: Annotated[int, count("Processes that score; 0 for one a core.", 0, 1024, only=EVAL)] = 0

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
    server_metrics: Annotated[
        tuple[str, ...],
        Option(
            values.urls,
            "URL|off",
            "Prometheus metrics to collect during the run, of servers or of a DCGM exporter; repeatable. off: none.",
            many=True,
            unset="/metrics of each --url that has some",
        ),
    ] = ()
    server_metrics_interval_s: Annotated[
        float, seconds("Time between two questions for the metrics of a server.", least=0.1)
    ] = 1.0
    gpu: Annotated[
        str,
        choice(
            "Read utilisation, memory and power of this machine's NVIDIA GPUs during the run; auto: where the whole "
            "load stays on this machine and there are any.",
            "auto",
            "on",
            "off",
        ),
    ] = "auto"
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
        Option(values.path, "DIR", "Folder to write to.", unset="outputs/<time>-COMMAND"),
    ] = None
    quiet: Annotated[bool, switch("Print nothing but errors.")] = False
    json: Annotated[bool, switch("Print metrics.json, or the summary in JSON, instead of tables.")] = False

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
