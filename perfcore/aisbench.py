"""AISBench's parameters of a model, as its Python configurations and our presets name them, in options of perfcore."""

import json
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any, NamedTuple

from perfcore import values
from perfcore.literals import Name
from perfcore.option import INT32, Option, choice, count, number, switch, text
from perfcore.options import OPTIONS


class Backend(NamedTuple):
    """What a class of AISBench's models is here. A class with `always` has no other way than `stream`."""

    dialect: str
    stream: bool = False
    always: bool = False
    local: str = ""


BACKENDS = {
    "VLLMCustomAPI": Backend("openai-completions"),
    "VLLMCustomAPIStream": Backend("openai-completions", stream=True, always=True),
    "VLLMCustomAPIOld": Backend("vllm-generate", always=True),
    "VLLMCustomAPIChat": Backend("openai-chat"),
    "VLLMCustomAPIChatStream": Backend("openai-chat", stream=True, always=True),
    "VllmMultiturnAPIChatStream": Backend("openai-chat", stream=True, always=True),
    "VLLMFunctionCallAPIChat": Backend("openai-chat"),
    "MindieStreamApi": Backend("mindie-infer", stream=True, always=True),
    "TritonCustomAPI": Backend("triton-generate"),
    "TritonCustomAPIStream": Backend("triton-generate", stream=True, always=True),
    "TGICustomAPI": Backend("tgi-generate"),
    "TGICustomAPIStream": Backend("tgi-generate", stream=True, always=True),
    "HuggingFace": Backend("openai-completions", local="hf"),
    "HuggingFaceCausalLM": Backend("openai-completions", local="hf"),
    "HuggingFaceBaseModel": Backend("openai-completions", local="hf"),
    "HuggingFacewithChatTemplate": Backend("openai-chat", local="hf"),
    "HuggingFaceQwen2VLwithChatTemplate": Backend("openai-chat", local="hf"),
    "VLLMOfflineVLModel": Backend("openai-chat", local="vllm"),
}
OUTSIDE = ("MindFormerModel", "MindieLLMModel")  # run in AISBench's own process on libraries of the maker
POSTPROCESSORS = ("extract_non_reasoning_content", "extract_non_reasoning_content_raw", "keep_reasoning_content")
NAMES = frozenset((*BACKENDS, *OUTSIDE, *POSTPROCESSORS))

# Where a service takes what AISBench calls generation_kwargs; elsewhere they stand in the body itself.
BODY_TABLE = {
    "mindie-infer": "parameters",
    "triton-generate": "parameters",
    "tgi-generate": "parameters",
    "dashscope": "parameters",
    "sglang-generate": "sampling_params",
    "ollama-chat": "options",
    "ollama-generate": "options",
}
HF_FIELDS = ("temperature", "top_p", "seed", "chat_template_kwargs")  # `transformers serve` takes these in the body

SLOWEST = 0.001  # requests a second; AISBench sends all at once below
RAMP_ENDS = ("ramp_up_start_rps", "ramp_up_end_rps")
TRAFFIC = {
    "burstiness": number("Shape of the gaps.", least=0, most=1_000_000),
    **{key: number("Requests per second.", least=0, most=64_000) for key in RAMP_ENDS},
}
DEFAULT_HOST, DEFAULT_PORT, DEFAULT_MAX_OUT_LEN = "localhost", 8080, 4096


def backend_name(value: object) -> str:
    """Name of a class of models, also with its modules before it; raises ValueError for one that has no counterpart."""
    name = (value.text if isinstance(value, Name) else values.text(value)).rpartition(".")[2]
    if name in OUTSIDE:
        raise ValueError(f"names {name}, which runs a model in AISBench's own process; serve the model over HTTP")
    if name not in BACKENDS:
        raise ValueError(f"wants a class of models, the nearest one is {nearest(name, BACKENDS)}")
    return name


def host(value: object) -> str:
    """Host as it stands in a URL; IPv6 addresses get their brackets."""
    name = values.text(value).strip("[]")
    try:
        return f"[{name}]" if ip_address(name).version == 6 else name
    except ValueError:
        if set(name) & set("/:@?# "):
            raise ValueError("wants a host or an address; a whole URL is for the key url") from None
        return name


def traffic(value: object) -> dict[str, Any]:
    """How requests are spread in time, without what is off; raises ValueError for what makes no ramp."""
    table = {key: item for key, item in values.table(value).items() if item not in (None, "")}
    strategy = str(table.pop("ramp_up_strategy", "none")).lower()
    if unknown := sorted(table.keys() - TRAFFIC):
        near = nearest(unknown[0], (*TRAFFIC, "ramp_up_strategy"))
        raise ValueError(f"has the unknown key {unknown[0]!r}, the nearest one is {near!r}")
    numbers: dict[str, Any] = {key: quantity(key, item) for key, item in table.items()}
    gaps = {"burstiness": numbers.pop("burstiness")} if numbers.get("burstiness") else {}
    if strategy == "none":
        return gaps
    if strategy not in ("linear", "exponential"):
        raise ValueError(f"has ramp_up_strategy {strategy!r:.40}; it wants linear or exponential, or None")
    if missing := [key for key in RAMP_ENDS if key not in numbers]:
        raise ValueError(f"has a ramp_up_strategy and no {missing[0]}; give both ends of the ramp")
    return gaps | {"ramp_up_strategy": strategy} | {key: numbers[key] for key in RAMP_ENDS}


def quantity(key: str, value: object) -> float:
    """A number of traffic_cfg; raises ValueError that names it."""
    try:
        return float(TRAFFIC[key].check(value))
    except ValueError as error:
        raise ValueError(f"has {key} {value!r:.40}, which {error}") from None


def generation(value: object) -> dict[str, Any]:
    """Parameters for the service, and the file of adapters; raises ValueError for what AISBench keeps for itself."""
    table = values.table(value)
    if LORA in table:
        values.text(table[LORA])
    if table.get(SEQUENCES) is not None:
        table[SEQUENCES] = OPTIONS["repeats"].check(table[SEQUENCES])
    return table


def anything(value: object) -> object:
    """A value that is not used."""
    return value


def table(words: str) -> Option:
    return Option(values.table, "KEY=JSON", words)


def unused(words: str) -> Option:
    return Option(anything, "", words)


PARAMETERS: dict[str, Option] = {
    "attr": choice("service or local; follows from the type.", "service", "local"),
    "type": Option(backend_name, "CLASS", "Class of the model: dialect and stream, or local."),
    "abbr": text("NAME", "Name of the model among several, for preset_model."),
    "url": Option(values.text, "URL", "url"),
    "host_ip": Option(host, "HOST", "url"),
    "host_port": count("url", 1, 65535),
    "enable_ssl": switch("url with https."),
    "model": text("NAME", "model"),
    "model_name": text("NAME", "model, for Triton."),
    "stream": switch("stream"),
    "request_rate": Option(values.number, "R", "rate, and none where it is 0.", least=0, most=64_000),
    "query_per_second": Option(values.number, "R", "rate, in older files.", least=0, most=64_000),
    "traffic_cfg": Option(traffic, "TABLE", "burstiness, with arrivals gamma; ramp_up_strategy and its ends."),
    "use_timestamp": switch("arrivals replay, without a rate or a concurrency."),
    "retry": count("retries, one fewer: there it is the number of attempts.", 0, 1000),
    "api_key": text("KEY", "An Authorization header."),
    "max_out_len": count("max_tokens", 1, INT32),
    "batch_size": count("concurrency", 1, 100_000),
    "generation_kwargs": Option(generation, "TABLE", "body, where the dialect has its parameters."),
    "sample_kwargs": Option(generation, "TABLE", "body, of vLLM's local models."),
    "path": text("PATH", "local_path, of local models; for services a tokenizer, not used yet."),
    "tokenizer_path": text("PATH", "local_options tokenizer."),
    "model_kwargs": table("local_options"),
    "trust_remote_code": switch("local_options trust_remote_code."),
    "vision_kwargs": table("local_options mm_processor_kwargs, of vLLM's local models."),
    "returns_tool_calls": switch("Nothing: tool calls are always read."),
    "meta_template": unused("Nothing."),
    "pred_postprocessor": unused("Nothing."),
    "response_anomaly": unused("Nothing."),
    "verbose": unused("Nothing."),
    "rpm_verbose": unused("Nothing."),
    "max_seq_len": unused("Nothing."),
    "tokenizer_kwargs": unused("Nothing."),
    "run_cfg": unused("Nothing."),
    "batch_padding": unused("Nothing."),
    "stop_words": unused("Nothing."),
}
NOT_USED = frozenset(key for key, option in PARAMETERS.items() if option.parse is anything)
PIXELS = ("min_pixels", "max_pixels")
SERVER_KEYS = ("model_kwargs", "tokenizer_path", "trust_remote_code", "vision_kwargs")  # become local_options
# What is not used besides, of services and of each kind of local model.
SPARE = {
    "": frozenset(("path", "tokenizer_path", "trust_remote_code", "model_kwargs", "vision_kwargs", "sample_kwargs")),
    "hf": frozenset(("vision_kwargs", "sample_kwargs")),
    "vllm": frozenset[str](),
}


# They stand among the parameters of generation, and are none.
LORA, SEQUENCES = "lora_data_map_file", "num_return_sequences"


class Options(NamedTuple):
    """Options of perfcore, by name with the parameter that gave each; the API key; what is not used."""

    found: dict[str, tuple[Any, str]]
    api_key: str
    unused: list[str]


def checked(key: str, value: object) -> Any:
    """Value of a parameter; raises ValueError saying what is wanted."""
    if key != "type" and key not in NOT_USED and names_class(value):
        raise ValueError("wants a value, not a class")
    return PARAMETERS[key].check(value)


def names_class(value: object) -> bool:
    """Whether a value has the name of a class anywhere in it."""
    if isinstance(value, Name):
        return True
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(names_class(item) for item in below)


def translated(given: Mapping[str, Any], known: Backend) -> Options:
    """Options that checked parameters stand for. `known` is the backend where they have no type.

    Raises ValueError that begins with the parameter for those that contradict each other.
    """
    backend = BACKENDS[given["type"]] if "type" in given else known
    found: dict[str, tuple[Any, str]] = {}
    if "type" in given:
        found["dialect"] = backend.dialect, "type"
        found["stream"] = streamed(given, backend), "stream" if "stream" in given else "type"
    elif "stream" in given:
        found["stream"] = given["stream"], "stream"
    for part in (address, model, load, body(backend), local(backend)):
        found |= part(given)
    kind = "local" if backend.local else "service"
    if given.get("attr", kind) != kind:
        raise ValueError(f"attr: wants {kind}, as {given.get('type', 'this preset')} is one")
    return Options(found, given.get("api_key", ""), sorted(spare(given, backend)))


def spare(given: Mapping[str, Any], backend: Backend) -> list[str]:
    """Parameters that say something which is not used."""
    keys = NOT_USED | SPARE[backend.local]
    if backend.local == "vllm" and "sample_kwargs" in given:
        keys |= {"generation_kwargs"}
    used = {key for _, key in load(given).values()}
    keys |= {key for key in ("batch_size", "request_rate", "query_per_second", "traffic_cfg") if key not in used}
    if not given.get("vision_kwargs", {}).keys() <= set(PIXELS):
        keys |= {"vision_kwargs"}
    return [key for key in keys if given.get(key)]


def streamed(given: Mapping[str, Any], backend: Backend) -> bool:
    """Whether answers are streamed; raises ValueError where the class knows only the other way."""
    wanted = given.get("stream", backend.stream)
    if backend.always and wanted != backend.stream:
        raise ValueError(f"stream: wants {backend.stream}, as {given['type']} knows no other way")
    return bool(wanted)


def address(given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """URL of the service; one that is given goes before host and port."""
    if "url" in given:
        return {"url": (given["url"], "url")}
    if "host_ip" not in given and "host_port" not in given:
        return {}
    scheme = "https" if given.get("enable_ssl") else "http"
    place = f"{given.get('host_ip', DEFAULT_HOST)}:{given.get('host_port', DEFAULT_PORT)}"
    return {"url": (f"{scheme}://{place}", "host_ip" if "host_ip" in given else "host_port")}


def model(given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Model to ask for, which Triton's parameters call model_name."""
    named = [key for key in ("model", "model_name") if key in given]
    if len({given[key] for key in named}) > 1:
        raise ValueError("model_name: is another one than model; leave one of them out")
    return {"model": (given[named[0]], named[0])} if named else {}


def load(given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Concurrency, arrivals, retries and length of answers."""
    found: dict[str, tuple[Any, str]] = {}
    if "max_out_len" in given:
        found["max_tokens"] = given["max_out_len"], "max_out_len"
    if "retry" in given:
        found["retries"] = max(0, given["retry"] - 1), "retry"
    if given.get("use_timestamp"):
        return found | {"arrivals": ("replay", "use_timestamp")}
    if "batch_size" in given:
        found["concurrency"] = given["batch_size"], "batch_size"
    return found | arrivals(given)


def arrivals(given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Rate, or ramp of one, and how it is spread; nothing below the rate that AISBench takes for none."""
    spread = given.get("traffic_cfg", {})
    key = "request_rate" if "request_rate" in given else "query_per_second"
    found = {name: (spread[name], "traffic_cfg") for name in ("ramp_up_strategy", *RAMP_ENDS) if name in spread}
    if found and spread["ramp_up_strategy"] == "exponential" and spread["ramp_up_start_rps"] == 0:
        found = {"rate": (spread["ramp_up_end_rps"], "traffic_cfg")}  # what that formula comes to
    if not found:
        found = {"rate": (given.get(key, 0), key)}
    if next(reversed(found.values()))[0] < SLOWEST:
        return {}
    if spread.get("burstiness"):
        found |= {"arrivals": ("gamma", "traffic_cfg"), "burstiness": (spread["burstiness"], "traffic_cfg")}
    return found


Part = Callable[[Mapping[str, Any]], dict[str, tuple[Any, str]]]


def body(backend: Backend) -> Part:
    """Function to what is merged into each body."""

    def part(given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
        key = "sample_kwargs" if backend.local == "vllm" and "sample_kwargs" in given else "generation_kwargs"
        fields = {name: value for name, value in given.get(key, {}).items() if value is not None}
        options = {"lora": LORA, "repeats": SEQUENCES}
        found = {option: (fields.pop(name), key) for option, name in options.items() if name in fields}
        if not fields:
            return found
        inner = BODY_TABLE.get(backend.dialect)
        sent = hf_body(fields) if backend.local == "hf" else {inner: fields} if inner else fields
        return found | {"body": (sent, key)}

    return part


def hf_body(fields: dict[str, Any]) -> dict[str, Any]:
    """Body for `transformers serve`, which takes most parameters as JSON in one field."""
    plain = {name: value for name, value in fields.items() if name in HF_FIELDS}
    rest = {name: value for name, value in fields.items() if name not in HF_FIELDS}
    return plain | ({"generation_config": json.dumps(rest)} if rest else {})


def local(backend: Backend) -> Part:
    """Function to what starts a local model's server."""

    def part(given: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
        if not backend.local:
            return {}
        found: dict[str, tuple[Any, str]] = {"local": (backend.local, "type")} if "type" in given else {}
        if "path" in given:
            found["local_path"] = given["path"], "path"
        if options := server_options(given, backend):
            found["local_options"] = options, next(key for key in SERVER_KEYS if key in given)
        return found

    return part


def server_options(given: Mapping[str, Any], backend: Backend) -> dict[str, Any]:
    """Options of the server of a local model."""
    options = {name: value for name, value in given.get("model_kwargs", {}).items() if value is not None}
    if "torch_dtype" in options:
        options["dtype"] = options.pop("torch_dtype")
    if given.get("tokenizer_path", given.get("path")) != given.get("path"):
        options["tokenizer"] = given["tokenizer_path"]
    if given.get("trust_remote_code"):
        options["trust_remote_code"] = True
    pixels = {name: value for name, value in given.get("vision_kwargs", {}).items() if name in PIXELS}
    return options | ({"mm_processor_kwargs": pixels} if pixels and backend.local == "vllm" else {})


def nearest(word: str, words: Iterable[str]) -> str:
    """Word that looks most like another."""
    return get_close_matches(word, sorted(words), 1, 0)[0]
