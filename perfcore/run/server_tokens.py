"""The tokenizer that a service offers itself: vLLM's and SGLang's /tokenize, or llama.cpp's.

Where no tokenizer of the model is on this machine, lengths can still be exact: prompts are counted by the service
before the load begins.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
import pycurl

from perfcore.errors import UserError
from perfcore.redaction import redacted_url
from perfcore.run.service import Answer, ask, said, unreachable
from perfcore.run.transport import Option
from perfcore.workload.tokens import ANCHOR, PROBES, Message, Plain, common_beginning, user
from perfcore.workload.words import WORDS

PARALLEL = 16  # questions that are asked at once
WAIT_S = 0.05  # at most: libcurl's own timers do not end a wait for sockets
VLLM, LLAMA_CPP = "vllm", "llamacpp"
PLACES = ("/tokenize", "/v1/tokenize")
FORMS = ((VLLM, "prompt"), (LLAMA_CPP, "content"))


@dataclass(frozen=True)
class ServerTokenizer:
    """A tokenizer behind an address: see perfcore.workload.tokens.Tokenizer. It can be pickled."""

    url: str  # of /tokenize
    form: str
    model: str | None
    headers: tuple[str, ...] = field(repr=False)
    options: tuple[tuple[int, Any], ...] = field(repr=False, hash=False)

    def encode(self, texts: Sequence[str], framed: bool = False) -> list[list[int]]:
        """Ids of each text; `framed` adds what the tokenizer puts around a text. Raises UserError."""
        key = "prompt" if self.form == VLLM else "content"
        flag = "add_special_tokens" if self.form == VLLM else "add_special"
        return self.tokens([{key: text, flag: framed} for text in texts])

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Text of each list of ids. Raises UserError."""
        url = self.url.removesuffix("/tokenize") + "/detokenize"
        answers = self.asked(url, [{"tokens": list(map(int, each))} for each in ids])
        keys = ("prompt", "content", "text")
        return [next((str(answer[key]) for key in keys if key in answer), "") for answer in answers]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has by itself. Raises UserError."""
        return list(map(len, self.encode(texts)))

    def prompt_counts(self, texts: Sequence[str], chat: bool) -> list[int]:
        """How many tokens the service sees of each prompt. Raises UserError."""
        if chat and self.has_template:
            return self.chat_counts([user(text) for text in texts])
        return list(map(len, self.encode(texts, framed=not chat)))

    def chat_counts(self, conversations: Sequence[Sequence[Message]]) -> list[int]:
        """How many tokens the service sees of messages, an answer about to begin. Raises UserError."""
        return list(map(len, self.chat_ids(conversations)))

    def overhead(self, chat: bool) -> int:
        """Tokens that the service adds to a prompt."""
        return self.prompt_counts(PROBES[:1], chat)[0] - self.counts(PROBES[:1])[0]

    def ahead(self, chat: bool) -> int:
        """Tokens that the service puts before a prompt."""
        if chat and self.has_template:
            return common_beginning(*self.chat_ids([user(probe) for probe in PROBES]))
        return 0 if chat else common_beginning(*self.encode(PROBES, framed=True))

    @cached_property
    def has_template(self) -> bool:
        """Whether the service puts messages into a chat template when asked for their tokens."""
        try:
            return bool(self.chat_ids([user(PROBES[0])])[0])
        except UserError:
            return False

    @cached_property
    def plain(self) -> Plain:
        """Common words that are one token each with the blank before them. Raises UserError where there are none."""
        known = list(dict.fromkeys(WORDS))
        anchor, *found = self.encode([ANCHOR, *(f"{ANCHOR} {word} {word}" for word in known)])
        whole = [(ids[-1], f" {word}") for word, ids in zip(known, found, strict=True) if is_double(ids, anchor)]
        if not whole:
            raise UserError(f"{redacted_url(self.url)} has no token that is a common word; give --tokenizer a folder")
        return Plain(np.array([each for each, _ in whole], np.int64), [text for _, text in whole])

    def chat_ids(self, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
        """Ids of messages in the chat template."""
        if self.form == VLLM:
            more = {"add_generation_prompt": True, "add_special_tokens": False}
            return self.tokens([{"messages": list(messages), **more} for messages in conversations])
        url = self.url.removesuffix("/tokenize") + "/apply-template"
        texts = [answer.get("prompt") for answer in self.asked(url, [{"messages": list(m)} for m in conversations])]
        # The service adds its own token of the beginning to what the template gives.
        return self.tokens([{"content": text, "add_special": True, "parse_special": True} for text in texts])

    def tokens(self, bodies: Sequence[Mapping[str, Any]]) -> list[list[int]]:
        """Ids that /tokenize answers."""
        found = [answer.get("tokens") for answer in self.asked(self.url, bodies)]
        if not all(map(is_ids, found)):
            raise UserError(f"{redacted_url(self.url)} answered without a list of tokens; give --tokenizer a folder")
        return [ids for ids in found if ids is not None]

    def asked(self, url: str, bodies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the service answers to each body, several asked at once. Raises UserError."""
        own = {} if self.model is None else {"model": self.model}
        packed = [msgspec.json.encode({**own, **body}) for body in bodies]
        return [decoded(answer, url) for answer in answers(url, packed, self.headers, self.options)]


def find(url: str, headers: Sequence[str], options: Sequence[Option], model: str | None) -> ServerTokenizer:
    """The tokenizer of the service whose requests go to `url`. Raises UserError where it offers none."""
    parts = urlsplit(url)
    heard = ""
    for place in places(parts.path):
        address = parts._replace(path=place, query="", fragment="").geturl()
        for form, key in FORMS:
            body = {key: PROBES[0]} if model is None else {"model": model, key: PROBES[0]}
            answer = ask(address, [*headers, "Content-Type: application/json"], options, msgspec.json.encode(body))
            if answer.status == 200 and (found := listed(answer)) and is_ids(found):
                return ServerTokenizer(address, form, model, tuple(headers), tuple(options))
            heard = heard or said(answer, address)
    raise UserError(f"--tokenizer server: {heard}; that is no tokenizer, so give --tokenizer the model's folder")


def places(path: str) -> list[str]:
    """Paths at which the tokenizer may be: beside the folder of the version, or in it."""
    before = path.partition("/v1")[0].rstrip("/") if "/v1" in path else ""
    return list(dict.fromkeys([f"{before}{place}" for place in PLACES] + list(PLACES)))


def listed(answer: Answer) -> object:
    """What an answer calls its tokens."""
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.get("tokens") if isinstance(found, dict) else None


def is_ids(value: object) -> bool:
    """Whether a value is a list of ids."""
    return isinstance(value, list) and all(type(item) is int for item in value)


def is_double(ids: list[int], anchor: list[int]) -> bool:
    """Whether ids are the anchor's and twice another one."""
    return ids[:-2] == anchor and len(ids) > 2 and ids[-1] == ids[-2]


def decoded(answer: Answer, url: str) -> dict[str, Any]:
    """An answer's object; raises UserError for any other answer."""
    try:
        found = msgspec.json.decode(answer.body) if answer.status == 200 else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{said(answer, url)}; that says no tokens, so give --tokenizer the model's folder")
    return found


def answers(
    url: str, bodies: Sequence[bytes], headers: Sequence[str], options: Sequence[tuple[int, Any]]
) -> Iterator[Answer]:
    """Answers to POSTs in their order, PARALLEL of which are sent at once, over connections that are kept."""
    with connections(url, headers, options, min(PARALLEL, len(bodies))) as (multi, handles):
        for start in range(0, len(bodies), PARALLEL):
            some = bodies[start : start + PARALLEL]
            received = [send(multi, handle, body) for handle, body in zip(handles, some, strict=False)]
            wait(multi, url)
            for handle, data in zip(handles, received, strict=False):
                multi.remove_handle(handle)
                content_type = handle.getinfo(pycurl.CONTENT_TYPE) or ""
                yield Answer(handle.getinfo(pycurl.RESPONSE_CODE), content_type, data.getvalue())


@contextmanager
def connections(
    url: str, headers: Sequence[str], options: Sequence[tuple[int, Any]], count: int
) -> Iterator[tuple[pycurl.CurlMulti, list[pycurl.Curl]]]:
    """Handles for so many requests at once."""
    multi, handles = pycurl.CurlMulti(), [pycurl.Curl() for _ in range(count)]
    try:
        for handle in handles:
            for option, value in options:
                handle.setopt(option, value)
            handle.setopt(pycurl.URL, url)
            handle.setopt(pycurl.HTTPHEADER, [*headers, "Content-Type: application/json", "Expect:"])
            handle.setopt(pycurl.NOSIGNAL, 1)
        yield multi, handles
    finally:
        for handle in handles:
            handle.close()
        multi.close()


def send(multi: pycurl.CurlMulti, handle: pycurl.Curl, body: bytes) -> io.BytesIO:
    """Begin to send a body; the answer is written to what is returned."""
    received = io.BytesIO()
    handle.setopt(pycurl.POST, 1)
    handle.setopt(pycurl.POSTFIELDS, body)
    handle.setopt(pycurl.WRITEDATA, received)
    multi.add_handle(handle)
    return received


def wait(multi: pycurl.CurlMulti, url: str) -> None:
    """Wait until all that was sent is answered. Raises UserError where something is not."""
    running = 1
    while running:
        _, running = multi.perform()
        if running:
            multi.select(WAIT_S)
    _, _, failed = multi.info_read()
    if failed:
        raise unreachable(url, failed[0][1], failed[0][2])
