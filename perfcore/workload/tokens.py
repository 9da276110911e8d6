"""Tokens of a model: texts to ids and back in batches, and how many tokens a service sees of a prompt."""

import importlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from perfcore.errors import UserError
from perfcore.paths import expanded

# Loaded by its name where a tokenizer is wanted, not imported: it takes longer to load than most runs take to start.
TRANSFORMERS = "transformers"
# Without them it says on the terminal that there is no torch, and its threads would multiply with our processes.
QUIET = {"TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
PROBES = ("probe", "a longer probe of seven words")
ANCHOR = "a"  # beside which tokens are looked at: many decoders drop a blank at the beginning of a text
WORDS_WANTED = 64  # so many tokens that are whole words with their blank make others unnecessary
CHAIN = 64  # ids in a row in which neighbours are checked

Message = Mapping[str, Any]


class Plain(NamedTuple):
    """Ids that are ordinary text, and the text of each as it stands behind other text."""

    ids: npt.NDArray[np.int64]
    texts: list[str]


@runtime_checkable
class Tokenizer(Protocol):
    """What the rest needs of a tokenizer, be it on this machine or in the service. It can be pickled."""

    def __hash__(self) -> int:
        """What is worked out with it is kept by it."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text by itself, without those that frame it."""

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Text of each list of ids, special ones included."""

    def counts(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has by itself."""

    def prompt_counts(self, texts: Sequence[str], chat: bool) -> list[int]:
        """How many tokens a service sees of each prompt: in the chat template as a user's only message, or framed."""

    def chat_counts(self, conversations: Sequence[Sequence[Message]]) -> list[int]:
        """How many tokens a service sees of messages (role, content) in the chat template, an answer about to begin."""

    def overhead(self, chat: bool) -> int:
        """Tokens that a service adds to a prompt."""

    def ahead(self, chat: bool) -> int:
        """Tokens that a service puts before a prompt."""

    @property
    def has_template(self) -> bool:
        """Whether it is known how the model wants messages."""

    @property
    def plain(self) -> Plain:
        """Ordinary tokens, for random prompts."""


def opened(given: "str | Tokenizer | None", trust_remote_code: bool) -> Tokenizer | None:
    """The tokenizer that a run was given, by name or itself; none where there is none."""
    return load(given, trust_remote_code) if isinstance(given, str) else given


def load(name: str, trust_remote_code: bool = False) -> "LocalTokenizer":
    """Tokenizer of a folder (or of the tokenizer.json in it), or of a model in the hub's cache; nothing is downloaded.

    Loaded once per process. Raises UserError that says where it was looked for.
    """
    return loaded(name, trust_remote_code)


@lru_cache(maxsize=4)
def loaded(name: str, trust_remote_code: bool) -> "LocalTokenizer":
    """The same, once per process."""
    path = expanded(name)
    where = str(path.parent if path.name == "tokenizer.json" and path.is_file() else path) if path.exists() else name
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)
    transformers = importlib.import_module(TRANSFORMERS)
    try:
        inner = transformers.AutoTokenizer.from_pretrained(
            where, local_files_only=True, trust_remote_code=trust_remote_code
        )
    except Exception as error:  # the library, its Rust part and a tokenizer's own code raise what they like
        raise UserError(refusal(name, path, str(error), trust_remote_code)) from None
    return LocalTokenizer(name, inner)


def refusal(name: str, path: Path, said: str, trusted: bool) -> str:
    """What to tell a user whose tokenizer cannot be loaded."""
    if "trust_remote_code" in said and not trusted:
        return f"the tokenizer {name} brings code of its own; let it run with --trust-remote-code if you trust it"
    if not path.exists():
        return (
            f"the tokenizer {name} is neither a folder nor a model in the cache of the Hugging Face hub; "
            "give the folder that has its tokenizer.json"
        )
    reason = " ".join(said.split())[:300] or "no reason is given"
    return f"the tokenizer in {path} cannot be loaded ({reason}); does the folder have its tokenizer.json?"


class LocalTokenizer:
    """A tokenizer of this machine. Batches go through its Rust part where it has one."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name = name
        self.inner = inner
        self.fast = inner.backend_tokenizer if getattr(inner, "is_fast", False) else None
        if self.fast is not None:  # what is stored for training would cut or fill our texts
            self.fast.no_truncation()
            self.fast.no_padding()

    def __reduce__(self) -> tuple[Any, ...]:
        return LocalTokenizer, (self.name, self.inner)

    def encode(self, texts: Sequence[str], framed: bool = False) -> list[list[int]]:
        """Ids of each text; `framed` adds what the tokenizer puts around a text, such as a token of its beginning."""
        if self.fast is not None:
            return [found.ids for found in self.fast.encode_batch_fast(list(texts), add_special_tokens=framed)]
        return [self.inner.encode(text, add_special_tokens=framed) for text in texts]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Text of each list of ids, special ones included."""
        if self.fast is not None:
            return list(self.fast.decode_batch([list(map(int, each)) for each in ids], skip_special_tokens=False))
        return [self.inner.decode(list(map(int, each)), skip_special_tokens=False) for each in ids]

    def counts(self, texts: Sequence[str], framed: bool = False) -> list[int]:
        """How many tokens each text has by itself, or with what the tokenizer puts around a text."""
        if self.fast is not None:
            return [len(found) for found in self.fast.encode_batch_fast(list(texts), add_special_tokens=framed)]
        return list(map(len, self.encode(texts, framed)))

    def prompt_counts(self, texts: Sequence[str], chat: bool) -> list[int]:
        """How many tokens a service sees of each prompt: in the chat template as a user's only message, or framed.

        Without a chat template in the tokenizer its messages count as their text.
        """
        if not chat:
            return self.counts(texts, framed=True)
        if not self.has_template:
            return self.counts(texts)
        if self.frame is None or any(text != text.strip() for text in texts):  # templates may strip
            return self.chat_counts([user(text) for text in texts])
        before, after = self.frame
        return self.counts([f"{before}{text}{after}" for text in texts])

    def chat_counts(self, conversations: Sequence[Sequence[Message]]) -> list[int]:
        """How many tokens a service sees of messages (role, content) in the chat template, an answer about to begin.

        Raises UserError where the template refuses the messages.
        """
        if not self.has_template:
            return self.counts(["\n".join(str(message["content"]) for message in each) for each in conversations])
        return self.counts([self.rendered(messages) for messages in conversations])

    def overhead(self, chat: bool) -> int:
        """Tokens that a service adds to a prompt."""
        return self.prompt_counts(PROBES[:1], chat)[0] - self.counts(PROBES[:1])[0]

    def ahead(self, chat: bool) -> int:
        """Tokens that a service puts before a prompt."""
        if chat and self.has_template:
            return common_beginning(*self.encode([self.rendered(user(probe)) for probe in PROBES]))
        return 0 if chat else common_beginning(*self.encode(PROBES, framed=True))

    @property
    def chat_overhead(self) -> int:
        """Tokens that the chat template adds around a user's only message."""
        return self.overhead(chat=True)

    def system_overhead(self, text: str) -> int:
        """Tokens that the chat template adds around a user's message that follows `text` of the system, with it."""
        found = self.chat_counts([[{"role": "system", "content": text}, *user(PROBES[0])]])
        return found[0] - self.counts(PROBES[:1])[0]

    @property
    def has_template(self) -> bool:
        """Whether the tokenizer knows how its model wants messages."""
        return bool(getattr(self.inner, "chat_template", None))

    @cached_property
    def frame(self) -> tuple[str, str] | None:
        """What the chat template writes before and behind a user's only message; None where that depends on it."""
        found = set()
        for probe in PROBES:
            before, there, after = self.rendered(user(probe)).partition(probe)
            if not there or probe in after:
                return None
            found.add((before, after))
        return found.pop() if len(found) == 1 else None

    def rendered(self, messages: Sequence[Message]) -> str:
        """Messages in the chat template."""
        try:
            return str(self.inner.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
        except Exception as error:  # whatever a template raises
            said = " ".join(str(error).split())[:300]
            raise UserError(
                f"the chat template of the tokenizer {self.name} refuses messages ({said}); correct them, or give the "
                "tokenizer of the model that is served"
            ) from None

    @cached_property
    def plain(self) -> Plain:
        """Ordinary tokens: neither special nor bytes nor parts of characters, and the same after decode and encode.

        Those that are whole words with the blank before them, where there are enough: no others keep apart from any
        neighbour. Raises UserError where there are none.
        """
        special = {*self.inner.all_special_ids, *self.inner.get_added_vocab().values()}
        every = sorted(set(self.inner.get_vocab().values()) - special)
        found = surviving(self, every)
        if not len(found.ids):
            raise UserError(f"the tokenizer {self.name} has no ordinary tokens; is it the model's own?")
        return found


def common_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many ids two texts have in common from their beginning on."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def user(text: str) -> list[Message]:
    """Messages of a user who says one thing."""
    return [{"role": "user", "content": text}]


def surviving(tokenizer: Tokenizer, ids: Sequence[int]) -> Plain:
    """Those of `ids` that decode to text of their own and are encoded as themselves, alone and beside each other."""
    anchor = tokenizer.encode([ANCHOR])[0]
    start = len(tokenizer.decode([anchor])[0])
    texts = [text[start:] for text in tokenizer.decode([[*anchor, each] for each in ids])]
    known = [(each, text) for each, text in zip(ids, texts, strict=True) if text.strip() and "\ufffd" not in text]
    words = [(each, text) for each, text in known if text[0] == " " and text[1:].isascii() and text[1:].isalpha()]
    found = kept(tokenizer, anchor, words)
    if len(found) < WORDS_WANTED:
        found = kept(tokenizer, anchor, known)
    return Plain(np.array([each for each, _ in found], np.int64), [text for _, text in found])


def kept(tokenizer: Tokenizer, anchor: list[int], known: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Those that stay what they are twice in a row, and, as far as there are such, among random neighbours."""
    doubled = tokenizer.encode([f"{ANCHOR}{text}{text}" for _, text in known])
    alone = [pair for pair, got in zip(known, doubled, strict=True) if got == [*anchor, pair[0], pair[0]]]
    order = np.random.default_rng(0).permutation(len(alone))
    chains = [[alone[at] for at in order[first : first + CHAIN]] for first in range(0, len(order), CHAIN)]
    encoded = tokenizer.encode([ANCHOR + "".join(text for _, text in chain) for chain in chains])
    good = [chain for chain, got in zip(chains, encoded, strict=True) if got == [*anchor, *(i for i, _ in chain)]]
    among = sorted(pair for chain in good for pair in chain)
    return among if len(among) >= WORDS_WANTED else alone
