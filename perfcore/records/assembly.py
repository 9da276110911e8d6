"""What the kept events of an answer hold beyond its text: choices, tool calls, log probabilities.

Slow and obvious: it decodes every event, and only of runs that keep them. Events are told apart by their shape, so that
one reader serves all dialects; what has none of these shapes is passed over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from perfcore.records import prompt_logprobs
from perfcore.records.prompt_logprobs import PromptLogprobs

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")


class ToolCall(msgspec.Struct, frozen=True):
    """One call; `arguments` is the text that the model made, usually JSON."""

    id: str | None
    name: str | None
    arguments: str


class Choice(msgspec.Struct, frozen=True):
    """One of the answers to a request. Empty texts, None and () where nothing came."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    logprobs: Any = None  # as it came; of an answer in pieces the lists are joined
    prompt_logprobs: PromptLogprobs | None = None


@dataclass
class Call:
    """A tool call as far as it has come."""

    key: object  # by which later pieces name it
    id: str | None = None
    name: str | None = None
    pieces: list[str] = field(default_factory=list)
    whole: str = ""  # all arguments at once, for want of pieces


@dataclass
class Part:
    """A choice as far as it has come."""

    pieces: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    calls: list[Call] = field(default_factory=list)
    logprobs: Any = None
    prompt_logprobs: PromptLogprobs | None = None
    finishes: int = 0


@dataclass
class Parts:
    """All choices by their index, and whether any event had several of them."""

    by_index: dict[int, Part] = field(default_factory=dict)
    together: bool = False
    completions: bool = False
    usage: dict[str, Any] = field(default_factory=dict)

    def at(self, index: object) -> Part:
        number = index if isinstance(index, int) and not isinstance(index, bool) else 0
        return self.by_index.setdefault(number, Part())


def assemble(raw: bytes) -> list[Choice]:
    """The choices of an answer in the order of their index, from its events, one JSON text a line; never raises.

    Texts are those of forms that have choices; the others (Anthropic, Responses) have one choice with calls and log
    probabilities, whose text is not gathered again.
    """
    parts = Parts()
    for line in raw.split(b"\n"):
        for event in decoded(line):
            add_event(parts, event)
    if rising(parts):
        parts.by_index = {0: in_one(parts)}
    for part in parts.by_index.values() if parts.completions else ():
        part.prompt_logprobs = part.prompt_logprobs or prompt_logprobs.of_echo(part.logprobs, parts.usage)
    return [choice_of(parts.by_index[index]) for index in sorted(parts.by_index)]


def decoded(line: bytes) -> Iterator[dict[str, Any]]:
    """The object in a line, if that is what it holds: end markers and broken JSON are none."""
    try:
        event = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(event, dict):
        yield event


def add_event(parts: Parts, event: dict[str, Any]) -> None:
    by_type = BY_TYPE.get(event.get("type") or event.get("object") or "") if hashable(event) else None
    if by_type is not None:
        by_type(parts, event)
        return
    for key, (kind, add) in BY_KEY.items():
        if isinstance(event.get(key), kind):
            add(parts, event)
            return


def hashable(event: dict[str, Any]) -> bool:
    """Whether what should be the name of a type is one."""
    return all(isinstance(event.get(key), (str, type(None))) for key in ("type", "object"))


# ---- forms with choices


def add_choices(parts: Parts, event: dict[str, Any]) -> None:
    """OpenAI's chat and text completions, a piece or a whole."""
    choices = [choice for choice in event["choices"] if isinstance(choice, dict)]
    parts.together |= len(choices) > 1
    parts.usage = usage if isinstance(usage := event.get("usage"), dict) else parts.usage
    for position, choice in enumerate(choices):
        index = choice.get("index")
        part = parts.at(position if index is None else index)
        if isinstance(text := choice.get("text"), str):
            parts.completions = True
            add_text(part, text)
        add_message(part, choice.get("delta"), whole=False)
        add_message(part, choice.get("message"), whole=True)
        part.logprobs = joined(part.logprobs, choice.get("logprobs"))
        part.prompt_logprobs = prompt_logprobs.of_choice(choice, event) or part.prompt_logprobs
        add_finish(part, choice.get("finish_reason"))


def add_message(part: Part, message: object, *, whole: bool) -> None:
    """A message or what it has grown by. Calls of a `whole` one that have no index are all different calls."""
    if not isinstance(message, dict):
        return
    add_text(part, message.get("content"))
    reasoning = next((text for key in REASONING_KEYS if isinstance(text := message.get(key), str) and text), "")
    part.reasoning.extend([reasoning] if reasoning else [])
    calls = message.get("tool_calls")
    items = calls if isinstance(calls, list) else [{"function": message.get("function_call"), "index": 0}]
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("function"), dict):
            add_call(part.calls, item, whole)


def add_text(part: Part, text: object) -> None:
    if isinstance(text, str) and text:
        part.pieces.append(text)


def add_finish(part: Part, reason: object) -> None:
    if isinstance(reason, str) and reason:
        part.finish_reason = reason
        part.finishes += 1


def add_call(calls: list[Call], item: dict[str, Any], whole: bool) -> None:
    """A piece goes to the last call of its index; one that brings another id and a name begins a call of its own.

    Not every server counts its calls, and some send a new id with every piece.
    """
    function, given, index = item["function"], item.get("id"), item.get("index")
    earlier = [call for call in calls if index is None or call.key == index]
    call = earlier[-1] if earlier and not (whole and index is None) else None
    if call is not None and given and call.id and given != call.id and function.get("name"):
        call = None
    if call is None:
        call = Call(index)
        calls.append(call)
    call.id = call.id or words(given)
    call.name = call.name or words(function.get("name"))
    call.pieces.append(as_text(function.get("arguments")))


def add_output(parts: Parts, event: dict[str, Any]) -> None:
    """DashScope's own form: OpenAI's within `output`."""
    if isinstance(event["output"].get("choices"), list):
        add_choices(parts, event["output"])


def add_ollama(parts: Parts, event: dict[str, Any]) -> None:
    """A message of Ollama's; its calls come whole."""
    part = parts.at(0)
    add_message(part, event["message"], whole=True)
    add_finish(part, event.get("done_reason"))


def add_texts(parts: Parts, event: dict[str, Any]) -> None:
    """vLLM's old form: all texts so far."""
    for index, text in enumerate(event["text"]):
        parts.at(index).pieces = [text] if isinstance(text, str) else []


def add_sglang(parts: Parts, event: dict[str, Any]) -> None:
    """SGLang's own form: the text so far, or what it has grown by where the server is told to send that."""
    facts = event.get("meta_info")
    part = parts.at(event.get("index"))
    before, text = "".join(part.pieces), words(event.get("text")) or ""
    part.pieces = [text] if text.startswith(before) else [before, text]
    if isinstance(facts, dict):
        logprobs = facts.get("output_token_logprobs")
        part.logprobs = part.logprobs if logprobs is None else logprobs
        part.prompt_logprobs = prompt_logprobs.of_triples(facts.get("input_token_logprobs")) or part.prompt_logprobs
        reason = facts.get("finish_reason")
        add_finish(part, reason.get("type") if isinstance(reason, dict) else reason)


def add_llamacpp(parts: Parts, event: dict[str, Any]) -> None:
    """llama.cpp's own form."""
    part = parts.at(event.get("index"))
    part.logprobs = joined(part.logprobs, event["completion_probabilities"])
    add_text(part, event.get("content"))


def add_tgi(parts: Parts, event: dict[str, Any]) -> None:
    """TGI's own form: each token with its log probability."""
    part = parts.at(0)
    if "logprob" in event["token"]:
        part.logprobs = joined(part.logprobs, [event["token"]])
    add_text(part, event["token"].get("text"))


def add_tgi_details(parts: Parts, event: dict[str, Any]) -> None:
    """TGI's own form in one piece."""
    tokens = event["details"].get("tokens")
    part = parts.at(0)
    part.logprobs = joined(part.logprobs, tokens if isinstance(tokens, list) and tokens else None)


# ---- forms without


def begin_block(parts: Parts, event: dict[str, Any]) -> None:
    """Anthropic: a block of content begins."""
    add_block(parts, event.get("index"), event.get("content_block"))


def add_block(parts: Parts, index: object, block: object) -> None:
    if isinstance(block, dict) and str(block.get("type")).endswith("tool_use"):
        call = Call(index, words(block.get("id")), words(block.get("name")), whole=as_text(block.get("input")))
        parts.at(0).calls.append(call)


def add_to_block(parts: Parts, event: dict[str, Any]) -> None:
    """Anthropic: a block of content grows."""
    delta = event.get("delta")
    if isinstance(delta, dict) and delta.get("type") == "input_json_delta":
        add_piece(parts, event.get("index"), delta.get("partial_json"))


def add_blocks(parts: Parts, event: dict[str, Any]) -> None:
    """Anthropic: a whole answer."""
    for index, block in enumerate(event["content"] if isinstance(event.get("content"), list) else []):
        add_block(parts, index, block)


def add_piece(parts: Parts, key: object, piece: object) -> None:
    for call in parts.at(0).calls:
        if call.key == key and isinstance(piece, str):
            call.pieces.append(piece)


def add_item(parts: Parts, event: dict[str, Any]) -> None:
    """Responses: an item of the output begins or is complete."""
    add_whole_item(parts, event.get("output_index"), event.get("item"))


def add_whole_item(parts: Parts, key: object, item: object) -> None:
    if not isinstance(item, dict) or item.get("type") not in ("function_call", "custom_tool_call"):
        return
    calls = parts.at(0).calls
    call = next((call for call in calls if call.key == key), None)
    if call is None:
        call = Call(key)
        calls.append(call)
    call.id = call.id or words(item.get("call_id")) or words(item.get("id"))
    call.name = call.name or words(item.get("name"))
    call.whole = as_text(item.get("arguments") or item.get("input")) or call.whole


def add_arguments(parts: Parts, event: dict[str, Any]) -> None:
    """Responses: the arguments of a call grow."""
    add_piece(parts, event.get("output_index"), event.get("delta"))


def add_text_logprobs(parts: Parts, event: dict[str, Any]) -> None:
    """Responses: the text grows."""
    part = parts.at(0)
    part.logprobs = joined(part.logprobs, event.get("logprobs") or None)


def add_items(parts: Parts, event: dict[str, Any]) -> None:
    """Responses: a whole answer."""
    for index, item in enumerate(event["output"] if isinstance(event.get("output"), list) else []):
        add_whole_item(parts, index, item)
        contents = item.get("content") if isinstance(item, dict) else None
        for content in contents if isinstance(contents, list) else []:
            if isinstance(content, dict):
                add_text_logprobs(parts, content)


Add = Callable[[Parts, dict[str, Any]], None]

# Events that say what they are, by `type` or `object`.
BY_TYPE: dict[str, Add] = {
    "content_block_start": begin_block,
    "content_block_delta": add_to_block,
    "message": add_blocks,
    "response.output_item.added": add_item,
    "response.output_item.done": add_item,
    "response.function_call_arguments.delta": add_arguments,
    "response.custom_tool_call_input.delta": add_arguments,
    "response.output_text.delta": add_text_logprobs,
    "response": add_items,
}

# Events that do not: the first key that holds a value of this type tells.
BY_KEY: dict[str, tuple[type, Add]] = {
    "choices": (list, add_choices),
    "output": (dict, add_output),
    "message": (dict, add_ollama),
    "token": (dict, add_tgi),
    "details": (dict, add_tgi_details),
    "completion_probabilities": (list, add_llamacpp),
    "text": (list, add_texts),
    "meta_info": (dict, add_sglang),
}


# ---- together


def joined(before: Any, more: Any) -> Any:
    """Lists one after the other, objects key by key; of anything else what came last. `before` may be changed."""
    if more is None or before is None:
        return before if more is None else more
    if isinstance(before, list) and isinstance(more, list):
        before.extend(more)
        return before
    if isinstance(before, dict) and isinstance(more, dict):
        return before | {key: joined(before.get(key), value) for key, value in more.items()}
    return more


def rising(parts: Parts) -> bool:
    """Whether the server numbers the pieces of one text completion, as guidellm's does, and not its choices.

    Then no index has two pieces, and the text ends once; choices have more pieces, or an end each.
    """
    found = parts.by_index.values()
    if not parts.completions or parts.together or len(found) < 2:
        return False
    return all(len(part.pieces) <= 1 for part in found) and sum(part.finishes for part in found) <= 1


def in_one(parts: Parts) -> Part:
    """All parts as one choice, in the order in which they came."""
    one = Part()
    for part in parts.by_index.values():
        one.pieces.extend(part.pieces)
        one.finish_reason = part.finish_reason or one.finish_reason
        one.logprobs = joined(one.logprobs, part.logprobs)
        one.prompt_logprobs = one.prompt_logprobs or part.prompt_logprobs
    return one


def choice_of(part: Part) -> Choice:
    return Choice(
        text="".join(part.pieces),
        reasoning="".join(part.reasoning),
        finish_reason=part.finish_reason,
        tool_calls=tuple(ToolCall(call.id, call.name, "".join(call.pieces) or call.whole) for call in part.calls),
        logprobs=part.logprobs,
        prompt_logprobs=part.prompt_logprobs,
    )


def words(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def as_text(value: object) -> str:
    """Arguments as text: some servers give them as an object."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
