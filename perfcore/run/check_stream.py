"""Findings on streamed answers: what comes when, what counts the tokens, what ends them."""

import pycurl

from perfcore.run.check_answer import Answer, Event
from perfcore.run.check_asking import LONG_PROMPT, Service, ask, few_tokens
from perfcore.run.check_finding import Finding, in_ms, ms, plural, unchecked
from perfcore.workload.dialect import Dialect

HELD_BACK_NS = 10_000_000
APART_NS = 1_000_000
EVENTS_PER_READ = 1.5
BURST = 8  # events with text in one read, from which on it is asked whether they were held back
THINK_TAG = "<think>"


def streaming(service: Service, first: Answer, second: Answer) -> Finding:
    """Whether the answer comes while it is made. The second of two answers counts: the first may be a cold one."""
    if not service.stream:
        return unchecked("streaming", "no stream is asked for: TTFT and ITL cannot be measured, E2EL can")
    answer = second if second.ok else first
    tokens, instants = answer.tokens, moments(answer.tokens)
    data: dict[str, float] = {"token_events": len(tokens), "reads": instants}
    if len(tokens) < 2:
        seen = f"the answer came in {plural(len(tokens), 'event')} with text"
        meaning = "there are no gaps between tokens: TTFT is E2EL, and ITL and TPOT are absent"
        return Finding("streaming", "note", seen, meaning, "measure with longer answers, or take E2EL alone", data)
    if len(tokens) > BURST * instants or instants == 1:
        found = one_burst(service, answer)
        if found.level == "problem" or instants == 1:
            return found
    spread_ns = tokens[-1].t_ns - tokens[0].t_ns
    seen = f"{plural(len(tokens), 'event')} with text in {plural(instants, 'read')} over {ms(spread_ns)}"
    data["spread_ms"] = in_ms(spread_ns)
    if len(tokens) > EVENTS_PER_READ * instants:
        meaning = "several events come together: their ITL is 0 and the next one's is longer; TTFT and TPOT stand"
        change = "look for a proxy that collects, or for a server that sends several tokens at a time"
        return Finding("streaming", "note", seen, meaning, change, data)
    return Finding("streaming", "ok", seen, data=data)


def moments(events: list[Event]) -> int:
    """How many wake-ups it took to read these events."""
    return len({event.t_ns for event in events})


def one_burst(service: Service, answer: Answer) -> Finding:
    """Text in bursts: held back, or so fast that nothing else can be seen. A shorter answer tells which."""
    waited_ns = answer.tokens[0].t_ns - answer.reading.sent_ns
    quick = ask(service, LONG_PROMPT, few_tokens(service))
    quick_ns = quick.reading.end_ns - quick.reading.sent_ns
    instants = moments(answer.tokens)
    reads = "at once" if instants == 1 else f"in {instants} reads"
    seen = f"{plural(len(answer.tokens), 'event')} with text came {reads}, {ms(waited_ns)} after the request"
    data = {"token_events": len(answer.tokens), "reads": instants, "first_token_ms": in_ms(waited_ns)}
    if quick.ok and waited_ns - quick_ns >= max(HELD_BACK_NS, quick_ns):
        seen += f"; an answer of {plural(quick.length, 'token')} was whole after {ms(quick_ns)}"
        meaning = "something holds the answer back until it is whole: TTFT would be E2EL and each ITL 0"
        change = "turn buffering off in the proxy (nginx: proxy_buffering off), or ask the server itself"
        return Finding("streaming", "problem", seen, meaning, change, data)
    meaning = "that may be a server faster than its reader, or one that collects: each ITL would be 0"
    return Finding("streaming", "note", seen, meaning, "measure with longer answers and read TTFT and E2EL only", data)


def first_byte(answer: Answer) -> Finding:
    """The first byte of the answer against its first token."""
    reading = answer.reading
    if not answer.tokens or reading.first_byte_ns is None:
        return unchecked("first_byte", "no token came")
    byte_ns = reading.first_byte_ns - reading.sent_ns
    token_ns = answer.tokens[0].t_ns - reading.sent_ns
    seen = f"first byte after {ms(byte_ns)}, first token after {ms(token_ns)}"
    data = {"first_byte_ms": in_ms(byte_ns), "first_token_ms": in_ms(token_ns)}
    if token_ns - byte_ns < APART_NS:
        return Finding("first_byte", "ok", seen, data=data)
    meaning = f"TTFT is that of the token; a tool that takes the first byte for it reads {ms(token_ns - byte_ns)} less"
    return Finding("first_byte", "ok", seen, meaning, data=data)


def role(answer: Answer) -> Finding:
    """An event that only names the role: sent before the prefill, or with the first token."""
    tokens = answer.tokens
    first = answer.events[0] if answer.events else None
    if first is None or not tokens or first.is_token or "role" not in first.kinds:
        return Finding("role", "ok", "no event with a role alone", data={"role_event": "none"})
    early_ns = tokens[0].t_ns - first.t_ns
    if early_ns < APART_NS:
        return Finding(
            "role", "ok", "an event with the role alone, with the first token", data={"role_event": "with_token"}
        )
    seen = f"an event with the role alone, {ms(early_ns)} before the first token"
    meaning = "it is no token and is not counted; a tool that counts it reads a TTFT without the prefill"
    return Finding("role", "ok", seen, meaning, data={"role_event": "before_prefill", "early_ms": in_ms(early_ns)})


def usage(answer: Answer) -> Finding:
    """Whether and where the server counts tokens."""
    places = [event for event in answer.events if "usage" in event.kinds]
    tokens = answer.tokens
    if not places:
        meaning = "output tokens are counted from events, which is an estimate; input tokens are unknown"
        change = "ask for usage (OpenAI's forms: stream_options.include_usage), or compare requests/s and latencies"
        return Finding("usage", "note", "none", meaning, change, {"usage": "none"})
    where, name = usage_place(answer, places)
    counts = ", ".join(f"{field.replace('_', ' ')} {count:,}" for field, count in answer.counts.items())
    data = {"usage": name, "token_events": len(tokens), **answer.counts}
    if not answer.counted:
        meaning = "output tokens are counted from events, which is an estimate"
        return Finding("usage", "note", f"{where}, without output tokens: {counts}", meaning, data=data)
    meaning = ""
    if answer.streamed and tokens and answer.length != len(tokens):
        meaning = f"{answer.length / len(tokens):.3g} tokens per event: the server's count is used, not the events"
    return Finding("usage", "ok", f"{where}: {counts}", meaning, data=data)


def usage_place(answer: Answer, places: list[Event]) -> tuple[str, str]:
    """Where the usage is, in words and as a name."""
    if not answer.streamed:
        return "in the answer", "in_answer"
    if sum(event.is_token for event in places) > len(answer.tokens) / 2:
        return "in every event", "every_event"
    if len(places) > 1 and places[0] is answer.events[0]:
        return "at the start and at the end", "start_and_end"
    if "finish" in places[-1].kinds:
        return "in the event with the finish reason", "finish_event"
    return "in an event of its own", "own_event"


def end(answer: Answer, dialect: Dialect) -> Finding:
    """What marks the end of a stream."""
    if not answer.streamed:
        return Finding("end", "ok", f"finish reason {answer.finish or 'none'}", data={"finish_reason": answer.finish})
    kinds = {kind for event in answer.events for kind in event.kinds}
    finish = f"finish reason {answer.finish}" if answer.finish else "a last event" if "finish" in kinds else ""
    done = dialect.done if "done" in kinds else ""
    data = {"finish_reason": answer.finish, "end_marker": bool(done)}
    seen = " and ".join(filter(None, (finish, done))) or "the end of the transfer alone"
    if dialect.done and not done:
        seen += f", no {dialect.done}"
    if not finish and not done:
        meaning = "an answer that was cut off cannot be told from a whole one"
        return Finding("end", "note", seen, meaning, "watch the lengths of the answers", data)
    if "finish" in dialect.complete and not finish:
        meaning = "stop and length cannot be told apart: answers cut by a limit are not counted"
        return Finding("end", "note", seen, meaning, data=data)
    return Finding("end", "ok", seen, data=data)


def reasoning(answers: list[Answer]) -> Finding:
    """Whether thoughts were seen, in a channel of their own or in the text."""
    if any(answer.texts["reasoning"] for answer in answers):
        meaning = "TTFT is that of the first thought, TTFA that of the first token of the answer"
        return Finding("reasoning", "ok", "in a channel of its own", meaning, data={"reasoning": "channel"})
    if any(THINK_TAG in answer.texts["content"] for answer in answers):
        meaning = "thoughts come as text; in the stream they look like the answer"
        change = "let the server tell them apart (vLLM, SGLang: --reasoning-parser)"
        return Finding("reasoning", "note", f"{THINK_TAG} in the text", meaning, change, {"reasoning": "tags"})
    return Finding("reasoning", "ok", "none seen", data={"reasoning": "none"})


def keep_alive(service: Service, second: Answer) -> Finding:
    """Whether the second request went over the connection of the first."""
    reading = second.reading
    if not second.ok:
        meaning = "the same request had just been answered: some requests of a run would fail too"
        return Finding(
            "keep_alive", "note", f"the second request {second.failure}", meaning, "look at the service's log"
        )
    if (pycurl.FORBID_REUSE, 1) in service.options:
        return unchecked("keep_alive", "each request opens its own connection, as --connections new says")
    data = {"reused": not reading.connection.opened}
    if not reading.connection.opened:
        return Finding("keep_alive", "ok", "the second request used the first one's connection", data=data)
    said = reading.headers.get("connection", "")
    seen = "the second request needed a new connection" + (f" (connection: {said})" if said else "")
    meaning = "a new connection for each request: its set-up is part of TTFT, and ports may run out under load"
    change = "let the server or proxy keep connections alive; connect_ms in the report says what it costs"
    return Finding("keep_alive", "note", seen, meaning, change, data)
