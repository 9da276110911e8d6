"""Findings on the parameters of a request: honoured, ignored, or refused with the server's words."""

from collections import Counter
from collections.abc import Callable
from functools import partial

from perfcore.run.check_answer import Answer
from perfcore.run.check_asking import (
    FREE_PROMPT,
    LONG_PROMPT,
    SHORT_PROMPT,
    Service,
    ask,
    few_tokens,
    limit_path,
    spellings,
)
from perfcore.run.check_finding import Finding, plural, unchecked
from perfcore.workload.dialect import response_paths

MORE = 24
SEEDED_TOKENS = 16

# What it means for the numbers where a parameter does nothing, and what to do then.
CONSEQUENCES = {
    "max_tokens": (
        "the model decides how long answers are: E2EL and requests/s compare only with runs of equal lengths",
        "compare TPOT and tokens/s, and look at the output tokens per request",
    ),
    "min_tokens": ("answers may be shorter than asked for", "choose prompts that make long answers"),
    "ignore_eos": (
        "answers end where the model ends them: lengths differ from run to run",
        "compare TPOT and tokens/s, and look at the output tokens per request",
    ),
    "seed": ("sampled answers differ from run to run, and so do lengths", "use --body temperature=0"),
    "stop": ("answers go on past a stop text", "cut them when they are scored"),
    "n": ("one answer comes for each request, whatever n is", "send each request several times instead"),
}
Probe = Callable[[Service, str, Answer, Answer | None], Finding]


def honoured(name: str, seen: str) -> Finding:
    return Finding(name, "ok", f"honoured: {seen}", data={"effect": "honoured"})


def ignored(name: str, seen: str) -> Finding:
    meaning, change = CONSEQUENCES[name]
    return Finding(name, "note", f"ignored: {seen}", meaning, change, {"effect": "ignored"})


def refused(name: str, answer: Answer) -> Finding:
    """A request with the parameter failed where one without it did not."""
    meaning = "requests with it fail"
    change = f"leave {name} out of the requests"
    if name == "max_tokens":
        change = "send no --max-tokens, or name the limit as the service does: --body max_completion_tokens=N"
    return Finding(name, "note", f"refused: it {answer.failure}", meaning, change, {"effect": "refused"})


def undecided(name: str, why: str) -> Finding:
    """The answers do not tell."""
    return Finding(name, "unchecked", f"cannot be told: {why}", data={"effect": "unknown"})


def max_tokens(service: Service, name: str, long: Answer, _: Answer | None) -> Finding:
    """A limit cuts a long answer."""
    if limit_path(service) is None:
        return unchecked(name, "the dialect has no limit of tokens")
    few = few_tokens(service)
    if not service.limited:
        service.limited = True
        answer = ask(service, LONG_PROMPT, few)
        service.limited = False
        return refused(name, answer)
    answer = ask(service, LONG_PROMPT, few)
    if not answer.accepted:
        return refused(name, answer)
    if answer.length > few:
        return ignored(name, f"{length(answer)} where {few} were allowed")
    if long.length <= few:
        return undecided(name, f"answers have {length(long)} by themselves")
    return honoured(name, f"{length(answer)} where {few} were allowed")


def length(answer: Answer) -> str:
    """Tokens of an answer, and whether they are the server's count."""
    return plural(answer.length, "token") if answer.counted else f"{plural(answer.length, 'event')} with text"


def prolonged(service: Service, name: str, _: Answer, short: Answer | None, *, value: object) -> Finding:
    """A parameter makes a short answer go on to the limit."""
    if short is None or not short.ok:
        return undecided(name, "a short answer without it failed")
    answer = ask(service, SHORT_PROMPT, MORE, {name: value})
    if not answer.accepted:
        return refused(name, answer)
    if short.length >= MORE:
        return undecided(name, f"the answer has {length(short)} without it")
    seen = f"{length(answer)}, {short.length:,} without it"
    return honoured(name, seen) if reached(answer) else ignored(name, seen)


def reached(answer: Answer) -> bool:
    """Whether an answer is as long as was asked for; events may carry several tokens each."""
    return answer.length >= MORE or (not answer.counted and answer.finish in ("length", "max_tokens"))


def seed(service: Service, name: str, _: Answer, __: Answer | None) -> Finding:
    """The same seed gives the same answer, another seed another one."""
    given = [ask(service, FREE_PROMPT, SEEDED_TOKENS, {"seed": value, "temperature": 1.0}) for value in (1, 1, 2)]
    failed = next((answer for answer in given if not answer.accepted), None)
    if failed is not None:
        return refused(name, failed)
    once, again, other = (answer.text for answer in given)
    if once != again:
        return ignored(name, "the same seed gave two different answers")
    if once == other:
        return undecided(name, "answers are the same whatever the seed is")
    return honoured(name, "the same seed gave the same answer, another seed another one")


def stop(service: Service, name: str, long: Answer, _: Answer | None) -> Finding:
    """A letter that every answer has ends the answer."""
    letters = Counter(character for character in long.text if character.isalnum())
    if not letters:
        return undecided(name, "there is no text to stop at")
    letter = letters.most_common(1)[0][0]
    answer = ask(service, LONG_PROMPT, MORE, {"stop": [letter]})
    if letter in answer.text[:-1]:
        return ignored(name, f"the answer goes on after {letter!r}")
    if not answer.accepted:
        return refused(name, answer)
    if answer.length >= MORE and answer.finish != "stop":
        return undecided(name, f"the answer ran to its limit without {letter!r}")
    return honoured(name, f"the answer ended before {letter!r}")


def several(service: Service, name: str, long: Answer, _: Answer | None) -> Finding:
    """Two choices come where two are asked for."""
    if long.choices != {0}:
        return undecided(name, f"one answer already has the choices {sorted(long.choices)[:4]}")
    answer = ask(service, LONG_PROMPT, few_tokens(service), {"n": 2})
    if not answer.accepted:
        return refused(name, answer)
    if answer.choices == {0, 1}:
        return honoured(name, "two choices came")
    return ignored(name, "one choice came where two were asked for")


PROBES: dict[str, Probe] = {
    "max_tokens": max_tokens,
    "min_tokens": partial(prolonged, value=MORE),
    "ignore_eos": partial(prolonged, value=True),
    "seed": seed,
    "stop": stop,
    "n": several,
}


def asks_for(service: Service, name: str) -> bool:
    """Whether the dialect has a parameter at all."""
    if name == "max_tokens":
        return True
    paths = response_paths(service.dialect, service.stream)
    choices = any(path.startswith("choices.") for field, path, _ in paths if field == "content")
    return name in spellings(service) and (name != "n" or choices)
