"""A row: what one request (or one conversation) sends, and what its data set says of it."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

OF_A_TURN = ("max_tokens", "think_s")  # what a message of a user in `turns` says of its request; not sent as it stands


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request to be sent, and what the data set says of it.

    One of WORKLOADS says what is asked: a prompt, messages, the turns of a conversation (messages of which each of a
    user is sent by itself), a prompt's token ids, the texts (or token ids) of an embedding, a query whose documents
    are to be ranked, or a whole recorded body. Pictures, sound and films are paths, URLs or data: URLs.

    A message of a user in `turns` may have `max_tokens` and `think_s` of its own, which are not sent as they stand.
    """

    id: str
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: int | None = None
    reference: Any = None
    meta: dict[str, Any] = {}
    token_ids: list[int] | None = None
    input: list[str] | list[list[int]] | None = None
    query: str | None = None
    documents: list[str] | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    images: list[str] = []
    audios: list[str] = []
    videos: list[str] = []
    turns: list[dict[str, Any]] | None = None
    think_s: float | None = None
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}  # of this request alone, beside those of all
    model: str | None = None  # goes before the run's
    timestamp_ns: int | None = None  # when the recording sent it; only differences count
    input_tokens: int | None = None  # length that the prompt was asked to have
    counted_tokens: int | None = None  # length that our tokenizer counted, chat template included
    dataset: str = ""  # name of the data set, and of the part of it
    subset: str = ""


def prompt_rows(prompts: Iterable[str]) -> Iterator[Row]:
    """Rows of prompts that were given in the place of a data set; their ids count from 1."""
    for number, prompt in enumerate(prompts, 1):
        yield Row(id=str(number), prompt=prompt)
