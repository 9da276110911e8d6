"""Questions to the service before the load: which models it has, and whether it answers a request at all.

A run that can only fail is refused here, in one sentence, instead of being measured.
"""

import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pycurl

from perfcore.errors import UserError
from perfcore.redaction import redacted_url
from perfcore.run.transport import Option

BODY_BYTES = 1 << 20
SHOWN_CHARACTERS = 300
# What services call the longest answer, and the objects in which some of them want it. OpenAI's max_output_tokens may
# not be as low as 1.
LENGTH_LIMITS = {"max_tokens", "max_completion_tokens", "max_new_tokens", "num_predict", "n_predict"}
PARAMETERS = {"parameters", "options", "sampling_params"}
QUESTION_TIMEOUT_MS = 60_000
HTTP_3_FAILED, QUIC_FAILED = 95, 96  # CURLE_HTTP3, CURLE_QUIC_CONNECT_ERROR
NO_CERTIFICATE = "No required SSL certificate was sent"  # how nginx says it
# Versions of HTTP by libcurl's numbers, and which of them an option asks for.
HTTP_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
    pycurl.CURL_HTTP_VERSION_3: "3",
}


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes
    http_version: int = 0  # libcurl's number of it

    def excerpt(self) -> str:
        """The beginning of the body in one printable line."""
        text = " ".join("".join(c if c.isprintable() else " " for c in self.body.decode(errors="replace")).split())
        return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def ask(url: str, headers: Sequence[str], options: Sequence[Option], body: bytes | None = None) -> Answer:
    """GET, or POST `body`. Raises UserError where no answer comes; one that is too long is cut."""
    received = io.BytesIO()
    handle = pycurl.Curl()

    def keep(data: bytes) -> int:
        received.write(data)
        return len(data) if received.tell() <= BODY_BYTES else 0  # anything but the length ends the transfer

    try:
        for option, value in options:
            handle.setopt(option, value)
        handle.setopt(pycurl.URL, url)
        handle.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
        handle.setopt(pycurl.WRITEFUNCTION, keep)
        handle.setopt(pycurl.NOSIGNAL, 1)
        if body is None:
            handle.setopt(pycurl.TIMEOUT_MS, QUESTION_TIMEOUT_MS)
        else:
            handle.setopt(pycurl.POST, 1)
            handle.setopt(pycurl.POSTFIELDS, body)
        try:
            handle.perform()
        except pycurl.error as error:
            if error.args[0] != pycurl.E_WRITE_ERROR:
                raise unreachable(url, *error.args) from None
        content_type = handle.getinfo(pycurl.CONTENT_TYPE) or ""
        version = handle.getinfo(pycurl.INFO_HTTP_VERSION)
        return Answer(handle.getinfo(pycurl.RESPONSE_CODE), content_type, received.getvalue(), version)
    finally:
        handle.close()


# What to do about libcurl's results, and about words in its messages that say more than the result.
REMEDIES = {
    pycurl.E_COULDNT_CONNECT: "is the service running, and is the port right?",
    pycurl.E_COULDNT_RESOLVE_HOST: "is the host name right?",
    pycurl.E_COULDNT_RESOLVE_PROXY: "is the name of the proxy right? see --proxy",
    pycurl.E_OPERATION_TIMEDOUT: "is it overloaded, or --timeout too short?",
    pycurl.E_SSL_CONNECT_ERROR: "does the service speak TLS on this port? else write http://",
    pycurl.E_PEER_FAILED_VERIFICATION: "give the certificate authority that signed it with --cacert",
    pycurl.E_SSL_CACERT_BADFILE: "is --cacert a PEM file of certificates?",
    pycurl.E_SSL_CERTPROBLEM: "do --cert and --key belong together, and is the key without a passphrase?",
    pycurl.E_HTTP2: "does the service speak HTTP/2 here? else leave --http out",
    HTTP_3_FAILED: "does the service speak HTTP/3 on this port? else leave --http out",
    QUIC_FAILED: "does the service speak HTTP/3 on this port? else leave --http out",
}
SAID_REMEDIES = {
    "Resolving timed out": "is the name service at work, and --connect-timeout long enough?",
    "onnection timed out": "can the host be reached from here, and is --connect-timeout long enough?",
    "private key": "do --cert and --key belong together, and is the key without a passphrase?",
    "expired": "renew it, or look at this machine's clock; --insecure takes it as it is",
    "not yet valid": "look at this machine's clock; --insecure takes it as it is",
    "subject name": "write the name that it has into --url, with --resolve NAME:PORT:ADDRESS where nobody knows it",
    "self-signed": "give it with --cacert if you trust it; --insecure takes any",
    "self signed": "give it with --cacert if you trust it; --insecure takes any",
    "certificate required": "the service wants to see a certificate: give one with --cert and --key",
    "bad certificate": "the service does not accept the certificate shown: check --cert and --key",
    "unknown ca": "the service does not know who signed the certificate of --cert",
    "CONNECT tunnel failed": "the proxy refuses: check --proxy",
    "over proxy": "are the proxy and the service running? check --proxy and --url",
    "Failed sending data to the peer": "is the service running, for HTTP/3 on the UDP port of that number?",
    "wrong version number": "does the service speak TLS on this port? else write http://",
}


def unreachable(url: str, code: int, message: str) -> UserError:
    """What to tell a user whose service does not answer."""
    said = (remedy for words, remedy in SAID_REMEDIES.items() if words in message)
    remedy = next(said, REMEDIES.get(code, "check --url"))
    return UserError(f"no answer from {redacted_url(url)}: {message.rstrip('.')}; {remedy}")


@dataclass(frozen=True)
class Models:
    """The models that a service lists. `names` is None where it has no list, and `heard` says what came instead."""

    url: str
    names: list[str] | None
    heard: str


def list_models(url: str, headers: Sequence[str], options: Sequence[Option]) -> Models:
    """Ask for the list of models. Raises UserError where no answer comes or a key is missing."""
    answer = ask(url, headers, options)
    refuse_without_key(answer, url)
    try:
        names = [str(entry["id"]) for entry in msgspec.json.decode(answer.body)["data"]]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        names = None
    return Models(url, names, said(answer, url))


def choose_model(given: str | None, models: Models | None) -> str | None:
    """The model to ask for: the given one, else the first that is listed. Raises UserError where there is none."""
    if given is not None or models is None:
        return given
    if not models.names:
        raise UserError(f"{models.heard}; that lists no model: correct the path of --url, or name one with --model")
    return models.names[0]


def refuse_without_key(answer: Answer, url: str) -> None:
    """Raise UserError where the service wants to know who asks."""
    if NO_CERTIFICATE in answer.excerpt():
        raise UserError(f"{said(answer, url)}; give one with --cert and --key")
    if answer.status in (401, 403):
        raise UserError(f"{said(answer, url)}; give the key with --api-key-env or --header")


def refuse_hopeless(answer: Answer, url: str, model: str | None, models: Models | None) -> None:
    """Raise UserError for an answer that every request of the run would get as well. Failures that may pass do not."""
    refuse_without_key(answer, url)
    if "text/html" in answer.content_type:
        raise UserError(f"{said(answer, url)}; that is a web page, not JSON: check host, port and path of --url")
    if not 400 <= answer.status < 500 or answer.status in (408, 429):
        return
    listed = models.names if models is not None else None
    if model is not None and listed and model not in listed:
        near = difflib.get_close_matches(model, listed, 1, cutoff=0.0)[0]
        raise UserError(f"{said(answer, url)}; it does not list the model {model!r}, the nearest one is {near!r}")
    if answer.status in (404, 405):
        raise UserError(f"{said(answer, url)}; check the path of --url, --dialect and --model")
    raise UserError(f"{said(answer, url)}; change the request, or send it all the same with --no-check")


def refuse_other_version(answer: Answer, url: str, asked: str) -> None:
    """Raise UserError where a service fell back from the version of HTTP that was asked for to an older one."""
    spoken = HTTP_VERSIONS.get(answer.http_version, "")
    if asked != "1.1" and spoken != asked.removesuffix("-prior-knowledge"):
        raise UserError(
            f"{redacted_url(url)} was asked for HTTP/{asked[0]} and answered in HTTP/{spoken}; "
            "leave --http out, or switch it on there"
        )


def said(answer: Answer, url: str) -> str:
    """What the service answered, as the beginning of a sentence."""
    return f"{redacted_url(url)} answered {answer.status}: {answer.excerpt()}"


def one_token(body: bytes) -> bytes:
    """The same request for the shortest answer, where it limits the answer's length at all."""
    return msgspec.json.encode(shortened(msgspec.json.decode(body)))


def shortened(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, those within the objects that hold parameters too, with 1 for each limit of the answer's length."""
    short = dict.fromkeys(LENGTH_LIMITS & fields.keys(), 1)
    inner = {key: shortened(fields[key]) for key in PARAMETERS & fields.keys() if isinstance(fields[key], dict)}
    return fields | short | inner
