"""Agents at work, of which only lengths and times are known: prompts, answers that call tools, what tools return."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.blocks import Ints
from perfcore.workload.fields import wrong
from perfcore.workload.files import Record, records
from perfcore.workload.filling import Ask, Prompt, prompts, texts
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted

MOST_TOKENS = 1 << 24
MOST_TURNS = 10_000
YEAR_S = 365 * 86400
CONVERSATIONS = 100  # without files, where nothing says how many are needed
SHARED_BLOCK = 0
PIECES = 1 << 15  # ids of blocks for each conversation, two for each of its turns

Tokens = Annotated[int, Meta(ge=1, le=MOST_TOKENS)]
Turns = Annotated[int, Meta(ge=1, le=MOST_TURNS)]
Time = Annotated[float, Meta(ge=0, le=YEAR_S)]
# Pairs are lists: beside a number with limits msgspec 0.22 takes a tuple's length from memory that is not its own.
TurnsRange = Turns | Annotated[list[Turns], Meta(min_length=2, max_length=2)]
TokensRange = Tokens | Annotated[list[Tokens], Meta(min_length=2, max_length=2)]
TimeRange = Time | Annotated[list[Time], Meta(min_length=2, max_length=2)]
Shared = Annotated[
    int, Meta(ge=0, le=MOST_TOKENS, description="Tokens that all first prompts begin with, as agents' instructions do.")
]
Seed = Annotated[
    Annotated[int, Meta(ge=0, le=2**63 - 1)] | None, Meta(description="Seed of the texts; else that of the run.")
]


class Agent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `agent`."""

    shared_tokens: Shared = 0
    latency_scale: Annotated[float, Meta(ge=0, le=1000, description="Factor on the times that tools take.")] = 1.0
    seed: Seed = None


class AgentSynthetic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `agent_synthetic`; a pair is a least and a most, drawn between evenly."""

    conversations: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="How many; else as many as are sent, or 100.")
    ] = None
    turns: Annotated[TurnsRange, Meta(description="Requests of a conversation.")] = 8
    first_turn_length: Annotated[TokensRange, Meta(description="Tokens of the first prompt.")] = 65_000
    subsequent_turn_length: Annotated[
        TokensRange, Meta(description="Tokens of what a tool returns, which is the next message.")
    ] = 500
    answer_length: Annotated[TokensRange, Meta(description="Tokens of each answer.")] = 300
    latency_s: Annotated[TimeRange, Meta(description="Seconds that a tool takes.")] = 0.0
    shared_tokens: Shared = 0
    seed: Seed = None


class Work(NamedTuple):
    """One conversation: its prompt, then for each tool call the answer before it, what it returns and its time."""

    prompt: int
    answers: Sequence[int]
    returns: Sequence[int]
    latencies_s: Sequence[float]
    final_answer: int


@dataclass(frozen=True)
class Agents:
    """Conversations, whose texts are made when they are asked for."""

    prompts: Ints
    final_answers: Ints
    ends: Ints  # of each conversation's tool calls, in the three below
    answers: Ints
    returns: Ints
    latencies_s: npt.NDArray[np.float64]
    shared_tokens: int
    seed: int
    wanted: Wanted

    def __len__(self) -> int:
        return len(self.prompts)

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`, one for each conversation."""
        places = range(*slice(start, stop).indices(len(self)))
        calls = [range(int(self.ends[at - 1]) if at else 0, int(self.ends[at])) for at in places]
        first = prompts([first_ask(self, at) for at in places], self.seed, self.wanted)
        pieces = texts(
            [
                ask(tokens, at, piece)
                for at, own in zip(places, calls, strict=True)
                for piece, tokens in enumerate(int(of[call]) for call in own for of in (self.answers, self.returns))
            ],
            self.seed,
            self.wanted,
        )
        return [row(self, at, own, next(first), pieces) for at, own in zip(places, calls, strict=True)]


def first_ask(agents: Agents, at: int) -> Ask:
    """The first prompt: what all have in common, then what this one has for itself."""
    tokens = int(agents.prompts[at])
    shared = min(agents.shared_tokens, tokens)
    ids = np.array([SHARED_BLOCK, block(at, PIECES - 1)])
    return Ask(tokens, ids, np.array([shared, tokens - shared]))


def ask(tokens: int, at: int, piece: int) -> Ask:
    """A text that stands nowhere else; at least a word, as services refuse messages without text."""
    tokens = max(1, tokens)
    return Ask(tokens, np.array([block(at, piece)]), np.array([tokens]))


def block(at: int, piece: int) -> int:
    """Id of a block of one conversation alone."""
    return 1 + at * PIECES + piece


def row(agents: Agents, at: int, calls: range, first: Prompt, pieces: Iterator[str]) -> Row:
    """One conversation, in which what a tool returns is a message of the user."""
    said: dict[str, Any] = {"role": "user", "content": first.text}
    turns = []
    for call in calls:
        turns += [
            said | {"max_tokens": max(1, int(agents.answers[call]))},
            {"role": "assistant", "content": next(pieces)},
        ]
        said = {"role": "user", "content": next(pieces), "think_s": float(agents.latencies_s[call])}
    turns.append(said | {"max_tokens": max(1, int(agents.final_answers[at]))})
    return Row(id=str(at + 1), turns=turns)


def read_agent(paths: Sequence[Path], settings: Agent, wanted: Wanted) -> Agents:
    """Conversations of records with `input_prompt_length`, `num_turns`, `assistant_response_length`,
    `tool_call_output_length`, `tool_call_latency` (in seconds) and `final_assistant_response_length`.

    The lists have one entry for each tool call. A conversation has one request more than calls.
    """
    found = (work_of(record) for path in paths for record in records(path))
    return agents(found, settings.shared_tokens, settings.latency_scale, settings.seed, wanted)


def agents(works: Iterable[Work], shared_tokens: int, latency_scale: float, seed: int | None, wanted: Wanted) -> Agents:
    """Conversations in columns, as many as are wanted."""
    first, final, ends, answers, returns = (array("q") for _ in range(5))
    times = array("d")
    for work in works:
        first.append(work.prompt)
        final.append(work.final_answer)
        answers.extend(work.answers)
        returns.extend(work.returns)
        times.extend(work.latencies_s)
        ends.append(len(answers))
        if len(first) == wanted.limit:
            break
    return Agents(
        prompts=np.array(first, np.int64),
        final_answers=np.array(final, np.int64),
        ends=np.array(ends, np.int64),
        answers=np.array(answers, np.int64),
        returns=np.array(returns, np.int64),
        latencies_s=np.array(times, np.float64) * latency_scale,
        shared_tokens=shared_tokens,
        seed=wanted.seed if seed is None else seed,
        wanted=wanted,
    )


def work_of(record: Record) -> Work:
    """Conversation of a record; raises UserError that names the field."""
    lists = [numbers(record, name, most) for name, most in LISTS.items()]
    calls = record.fields.get("num_turns", len(lists[0]))
    if type(calls) is not int or any(len(found) != calls for found in lists):
        sizes = ", ".join(f"{name} {len(found)}" for name, found in zip(LISTS, lists, strict=True))
        raise wrong(record, f"num_turns is {calls!r:.60}, and the lists have other lengths ({sizes}); make them agree")
    if calls > MOST_TURNS:
        raise wrong(record, f"num_turns is {calls}; it may be {MOST_TURNS:,} at most")
    prompt, final = (number(record, name) for name in ("input_prompt_length", "final_assistant_response_length"))
    return Work(prompt, [int(n) for n in lists[0]], [int(n) for n in lists[1]], lists[2], final)


LISTS = {"assistant_response_length": MOST_TOKENS, "tool_call_output_length": MOST_TOKENS, "tool_call_latency": YEAR_S}


def numbers(record: Record, name: str, most: float) -> list[float]:
    """A list of numbers from 0 on, none where the field is missing."""
    value = record.fields.get(name)
    if value is None:
        return []
    whole = name != "tool_call_latency"
    kinds = (int,) if whole else (int, float)
    if not isinstance(value, list) or not all(type(item) in kinds and 0 <= item <= most for item in value):
        raise wrong(
            record, f"{name} is no list of {'whole ' if whole else ''}numbers from 0 to {most:,}; mend it there"
        )
    return value


def number(record: Record, name: str) -> int:
    """A length of at least 1."""
    value = record.fields.get(name)
    if type(value) is not int or not 1 <= value <= MOST_TOKENS:
        shown = "missing" if value is None else f"{value!r:.60}"
        raise wrong(record, f"{name} is {shown}; it has to be a whole number from 1 to {MOST_TOKENS:,}")
    return value


def read_agent_synthetic(_: Sequence[Path], settings: AgentSynthetic, wanted: Wanted) -> Agents:
    """Conversations of drawn lengths. Raises UserError for a pair that falls."""
    pairs = {name: pair(settings, name) for name in DRAWN}
    count = settings.conversations or wanted.limit or CONVERSATIONS
    seed = wanted.seed if settings.seed is None else settings.seed
    return agents((drawn(pairs, seed, at) for at in range(count)), settings.shared_tokens, 1.0, seed, wanted)


DRAWN = ("turns", "first_turn_length", "subsequent_turn_length", "answer_length", "latency_s")


def pair(settings: AgentSynthetic, name: str) -> tuple[float, float]:
    """Least and most of a setting."""
    value = getattr(settings, name)
    least, most = value if isinstance(value, list) else (value, value)
    if least > most:
        raise UserError(f"{name} is {value}, which falls; give the least first")
    return least, most


def drawn(pairs: dict[str, tuple[float, float]], seed: int, at: int) -> Work:
    """One conversation, the same whenever it is drawn."""
    rng = np.random.default_rng([seed, at])
    turns, first, later, answer = ((int(low), int(high) + 1) for low, high in (pairs[name] for name in DRAWN[:4]))
    calls = int(rng.integers(*turns)) - 1
    return Work(
        prompt=int(rng.integers(*first)),
        answers=rng.integers(*answer, size=calls).tolist(),
        returns=rng.integers(*later, size=calls).tolist(),
        latencies_s=rng.uniform(*pairs["latency_s"], size=calls).tolist(),
        final_answer=int(rng.integers(*answer)),
    )


READERS = {
    "agent": Reader(read_agent, Agent, "Lengths of agents' conversations: prompts, answers, tools' returns and times."),
    "agent_synthetic": Reader(
        read_agent_synthetic, AgentSynthetic, "Agents' conversations of drawn lengths.", needs_files=False
    ),
}
