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
QUESTION_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: bytes

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
        return Answer(handle.getinfo(pycurl.RESPONSE_CODE), content_type, received.getvalue())
    finally:
        handle.close()


def unreachable(url: str, code: int, message: str) -> UserError:
    """What to tell a user whose service does not answer."""
    remedies = {
        pycurl.E_COULDNT_CONNECT: "is the service running, and is the port right?",
        pycurl.E_COULDNT_RESOLVE_HOST: "is the host name right?",
        pycurl.E_OPERATION_TIMEDOUT: "is it overloaded, or --timeout too short?",
        pycurl.E_SSL_CONNECT_ERROR: "does the service speak TLS on this port? else write http://",
        pycurl.E_PEER_FAILED_VERIFICATION: "set SSL_CERT_FILE to the certificate authority that it uses",
    }
    remedy = remedies.get(code, "check --url")
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
        raise UserError(f"{models.heard}; that lists no model, so name one with --model")
    return models.names[0]


def refuse_without_key(answer: Answer, url: str) -> None:
    """Raise UserError where the service wants to know who asks."""
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


def said(answer: Answer, url: str) -> str:
    """What the service answered, as the beginning of a sentence."""
    return f"{redacted_url(url)} answered {answer.status}: {answer.excerpt()}"


def one_token(body: bytes) -> bytes:
    """The same request for the shortest answer, where it limits the answer's length at all."""
    fields: Any = msgspec.json.decode(body)
    limits = {"max_tokens", "max_completion_tokens"}
    return msgspec.json.encode({key: 1 if key in limits else value for key, value in fields.items()})
