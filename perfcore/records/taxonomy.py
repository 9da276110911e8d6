"""Why requests fail: what each class of failure means, what causes it, and what to do about it.

Most classes are decided by the loop. Those in NAMED are decided afterwards, by the words of the server: services give
the same failure different statuses, and most of them say clearly what it is.
"""

import re
from typing import NamedTuple

EVIDENCE_CHARACTERS = 4096  # a server that gives back what it was sent does so behind its own words


class Explained(NamedTuple):
    """Sentences for a person."""

    meaning: str
    cause: str
    remedy: str


CLASSES = {
    "refused": Explained(
        "No connection: the address refused it.",
        "Nothing listens on the port, the service is still starting, or its queue of connections is full.",
        "Start the service, check host and port of --url, or add clients slowly with --ramp.",
    ),
    "dns": Explained(
        "No connection: the host name has no address.",
        "The name is misspelt or unknown to this machine, or the name server does not answer.",
        "Check the host of --url; give the address itself if the name server is slow.",
    ),
    "tls": Explained(
        "No connection: TLS could not be set up.",
        "The certificate is expired, is for another host or signed by an authority that is not trusted here, or the "
        "port does not speak TLS.",
        "Use the host name that is in the certificate, give the authority as --cacert, or write http:// without TLS.",
    ),
    "connect_timeout": Explained(
        "No connection within the time for it.",
        "The address does not exist or a firewall drops the packets, or the machine is too busy to accept.",
        "Check host, port and firewall; raise --connect-timeout only if the network is that slow.",
    ),
    "first_byte_timeout": Explained(
        "The request was sent, and no byte of an answer came in time.",
        "The service queues requests for longer than that, or hangs.",
        "Lower the load, or raise --first-byte-timeout if such a wait is to be measured.",
    ),
    "idle_timeout": Explained(
        "The answer stopped: nothing came for the time allowed between two pieces.",
        "The service hangs or preempts the request, or something on the way holds the answer back.",
        "Look at the service's log at that time; raise --idle-timeout if such pauses are to be measured.",
    ),
    "total_timeout": Explained(
        "Not finished within the time for a whole request.",
        "The answer is too long for it, or the service too slow under this load.",
        "Raise --timeout, ask for shorter answers with --max-tokens, or lower the load.",
    ),
    "reset": Explained(
        "The server closed the connection before an answer, or reset it within one.",
        "It crashed, was restarted or ran out of memory, or a proxy cut the connection; some servers close idle "
        "connections just as they are used again.",
        "Look at the log of the service and of what is in front of it.",
    ),
    "http_3xx": Explained(
        "The server sent the request elsewhere; perfcore does not follow.",
        "The service has moved, or wants https:// or another path.",
        "Give the address that the answer names as --url.",
    ),
    "http_4xx": Explained(
        "The server rejected the request, with a status that has no class of its own.",
        "The body has a value or a field that this service does not take.",
        "Read the message; change the request with --body, --max-tokens or another --dialect.",
    ),
    "http_5xx": Explained(
        "The server failed, with a status that has no class of its own.",
        "500 is a fault in the service; 502, 503 and 504 come from overload, a restart, or a proxy without a server.",
        "Look at the service's log; lower the load if it is overloaded.",
    ),
    "rate_limited": Explained(
        "Too many requests: status 429, or an error that says so.",
        "The service limits requests or tokens for this key, or its queue is full.",
        "Lower --rate or --concurrency, or raise the limit; the latencies are those of what was let through.",
    ),
    "auth": Explained(
        "Not allowed: status 401 or 403, or an error that says so.",
        "The API key is missing, wrong or expired, or may not use this model.",
        "Give the name of the variable with the key as --api-key-env, or another header with the key as --header.",
    ),
    "unknown_model": Explained(
        "The service does not have the model that was asked for.",
        "The name is not the one under which it is served, or the model is not loaded.",
        "Give a name from the service's list of models as --model, or leave --model out to take the first.",
    ),
    "not_found": Explained(
        "Status 404: there is no such path.",
        "The path of --url is wrong, or the service does not speak this dialect.",
        "Check the path of --url and --dialect.",
    ),
    "context_too_long": Explained(
        "The prompt, or the prompt and the answer together, are longer than the service allows.",
        "The model's context, or the limit that the service was started with, is too short for this data set.",
        "Lower --max-tokens, leave out the long prompts, or start the service with a longer context.",
    ),
    "bad_content_type": Explained(
        "A web page came where JSON was expected.",
        "A proxy, a login page or another service answers at this address.",
        "Check host, port and path of --url.",
    ),
    "error_in_band": Explained(
        "An error inside an answer that had begun with status 200.",
        "The service failed when it had already started to answer, often by overload or lack of memory.",
        "Read the message and the service's log; lower the load if it is overloaded.",
    ),
    "truncated_stream": Explained(
        "The stream ended without a finish reason and without an end marker.",
        "The service or a proxy cut the answer, or the service marks its end in another way than the dialect says.",
        "If all answers have this class, mend `complete` of the dialect; if some, look for timeouts on the way.",
    ),
    "empty_answer": Explained(
        "A complete answer without any text.",
        "The model ended at once, the text stands where the dialect does not look, or the service dropped the request.",
        "Ask one such prompt by hand and compare the answer with the paths of the dialect; check the chat template.",
    ),
    "bad_json": Explained(
        "An event or a body that is not valid JSON.",
        "A fault of the service, or a proxy that changes what passes through.",
        "See the message for the bytes, and report them to the makers of the service.",
    ),
    "too_large": Explained(
        "An event longer than --max-event-bytes, or an answer of gigabytes.",
        "The service sends something else than an answer, or very large events on purpose (images, log probabilities).",
        "Raise --max-event-bytes if such events are right.",
    ),
    "unexpected_non_stream": Explained(
        "One whole answer where a stream was asked for.",
        "The service, or a proxy in front of it, does not stream, or not such requests (tools, several choices).",
        "Turn streaming on there, or measure with --no-stream.",
    ),
    "cancelled": Explained(
        "Cut off by perfcore: a second interrupt, or the end of the grace.",
        "The run was ended before this request was.",
        "Let the run end, or allow more --grace.",
    ),
    "lost_worker": Explained(
        "The worker process that had sent the request died.",
        "It was killed, most often for lack of memory, or it crashed.",
        "Free memory or use fewer --workers; if nothing killed it, report it with the run folder.",
    ),
    "other": Explained(
        "The transfer failed in a way that has no class.",
        "See the message, which is libcurl's.",
        "Report it with the run folder if the message does not help.",
    ),
}

# Classes that the words of a server may make more precise.
VAGUE = ("auth", "not_found", "error_in_band")

# What servers say, in any case of letters; the first class with a match is taken.
PATTERNS = {
    "context_too_long": (
        r"context_length_exceeded|exceed_context_size",  # OpenAI, llama.cpp
        r"max(imum)?[ _]?(context|model|sequence|prompt|input|seq)[ _]?(token[ _]?)?len",  # vLLM, OpenAI, xAI
        r"exceed\w*\s.{0,60}context[ _](length|window|size|limit)",  # llama.cpp, OpenAI, Anthropic
        r"context[ _](length|window|size|limit).{0,40}exceed",
        r"(longer|greater|larger) than .{0,40}(context|maximum (model )?length)",  # SGLang, vLLM, LM Studio
        r"\b(prompt|input)\b.{0,80}\btoo (long|large)\b",  # Anthropic, vLLM, Bedrock, Mistral
        r"`inputs`( tokens)? (must have less than|\+ `max_new_tokens` must be)",  # TGI
        r"input (token count|tokens).{0,60}exceed",  # Gemini, OpenAI
        r"range of input length should be",  # DashScope
        r"reduce the length of the (messages|prompt|input)",  # Groq, OpenAI
        r"exceeded model token limit|token limit exceeded",  # Kimi
    ),
    "unknown_model": (
        r"model_not_found|modelnotfound|unknown model|no such model|invalid model\b",  # OpenAI, Triton, LiteLLM
        r"\bmodel\b.{0,200}?\b(does ?n[o']t exist|not exist|not found)\b",  # vLLM, OpenAI, Ollama, DashScope
        r"is not a valid model",  # OpenRouter
        r"pinned to .{1,300}; requested",  # transformers
        r"not_found_error.{0,60}\"model: ",  # Anthropic
    ),
    "auth": (
        r"authentication_error|permission_denied|unauthori[sz]ed",
        r"(invalid|incorrect|missing|expired).{0,20}\bapi[ _-]?key",
        r"\bapi[ _-]?key\b.{0,20}(not valid|invalid|missing|required)",
    ),
    "rate_limited": (r"rate[ _-]?limit|too many requests|resource_exhausted|quota",),
}
NAMED = tuple(PATTERNS)

_COMPILED = {name: re.compile("|".join(words), re.I | re.S) for name, words in PATTERNS.items()}


def refined(name: str, message: str) -> str:
    """The class that the message names, for a class that leaves room for it; else the class itself."""
    if name not in VAGUE and not name.startswith("http_"):
        return name
    evidence = message[:EVIDENCE_CHARACTERS]
    return next((named for named, pattern in _COMPILED.items() if pattern.search(evidence)), name)


def explained(name: str) -> Explained:
    """What is known of a class, that of a status included."""
    family = f"{name[:6]}xx" if re.fullmatch(r"http_\d{3}", name) else name
    return CLASSES.get(family, CLASSES["other"])


def table() -> str:
    """The classes as docs/failures.md has them."""
    rows = (f"| `{name}` | {told.meaning} | {told.cause} | {told.remedy} |" for name, told in CLASSES.items())
    return "\n".join(("| class | what happened | usual cause | what to do |", "|---|---|---|---|", *rows)) + "\n"
