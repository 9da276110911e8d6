"""What of the options of load goes together, and what is taken where they leave something open."""

from typing import Any, NamedTuple

from perfcore.errors import UserError
from perfcore.options import StressOptions, flag_of, key_of
from perfcore.shape import parse_shape

DEFAULT_CONCURRENCY = 8
OWN_TIMES = ("burst", "replay")  # arrivals without a rate
OPEN_LOOP = ("rate", "arrivals", "burstiness", "ramp_up_strategy", "rate_shape")  # each of them makes one


class Choice(NamedTuple):
    """Values of the options by name, where each came from, and how near to the command line; 0 is a default."""

    values: dict[str, Any]
    origins: dict[str, str]
    ranks: dict[str, int]

    def given(self, name: str) -> bool:
        return self.ranks[name] > 0 and self.values[name] is not None

    def place(self, name: str) -> str:
        return f"{key_of(name)} ({self.origins[name]})"

    def take(self, name: str, value: object, why: str) -> None:
        self.values[name], self.origins[name] = value, why

    def leave_out(self, name: str, winner: str) -> None:
        self.take(name, getattr(StressOptions(), name), f"left out for {self.origins[winner]}")
        self.ranks[name] = 0


def choose_load(values: dict[str, Any], origins: dict[str, str], ranks: dict[str, int]) -> None:
    """Say for an open loop how requests arrive, and for a closed one how many are sent at once.

    Afterwards `arrivals` is None in a closed loop alone. Of two options that exclude each other the one that was given
    nearer to the command line stays; raises UserError where both were given in one place, and for what is missing.
    """
    choice = Choice(values, origins, ranks)
    for name in OPEN_LOOP:
        only_one(choice, "ramp", name, "say different things: clients that are added, and requests of an open loop")
    refuse_unused(choice)
    if any(values[name] is not None for name in OPEN_LOOP):
        choose_arrivals(choice)
    elif values["concurrency"] is None:
        choice.take("concurrency", DEFAULT_CONCURRENCY, "default, as neither concurrency nor rate is given")


def refuse_unused(choice: Choice) -> None:
    """Leave out, or refuse, what says nothing beside the rest."""
    if choice.values["arrivals"] in OWN_TIMES:
        for name in ("rate", "ramp_up_strategy", "rate_shape"):
            only_one(choice, "arrivals", name, f"exclude each other, as a {choice.values['arrivals']} has no rate")
    law = choice.values["arrivals"]
    if law not in (None, "gamma"):
        unused(choice, ("burstiness",), "arrivals", "is the shape of gamma arrivals alone")
    if law != "replay":
        unused(choice, ("speed", "replay_start_s", "replay_end_s"), "arrivals", "is for --arrivals replay alone")
    only_one(choice, "rate_shape", "ramp_up_strategy", "both say how the rate changes")
    if choice.values["ramp_up_strategy"] is None:
        unused(choice, ("ramp_up_start_rps", "ramp_up_end_rps"), "rate_shape", "is for a --ramp-up-strategy alone")
    only_one(choice, "rate", "ramp_up_end_rps", "both say where the ramp ends")
    if steps_s(choice) is not None:
        only_one(choice, "rate", "rate_shape", "both give rates")


def only_one(choice: Choice, one: str, other: str, why: str) -> None:
    """Leave one of two out; raises UserError where neither was given nearer to the command line."""
    if not (choice.given(one) and choice.given(other)):
        return
    if choice.ranks[one] == choice.ranks[other]:
        raise UserError(f"{choice.place(one)} and {choice.place(other)} {why}; leave one of them out")
    loser, winner = sorted((one, other), key=choice.ranks.__getitem__)
    choice.leave_out(loser, winner)


def unused(choice: Choice, names: tuple[str, ...], reason: str, words: str) -> None:
    """Leave these out if the option that makes them useless was given nearer; else raises UserError."""
    for name in names:
        if choice.given(name) and choice.ranks[name] < choice.ranks[reason]:
            choice.leave_out(name, reason)
        elif choice.given(name):
            raise UserError(f"{choice.place(name)} {words}; leave it out")


def steps_s(choice: Choice) -> float | None:
    """How long the steps of a rate take, or None where it has another shape; raises UserError for one that is none."""
    if choice.values["rate_shape"] is None:
        return None
    try:
        shape = parse_shape(choice.values["rate_shape"])
    except ValueError as error:
        raise UserError(f"{choice.place('rate_shape')} {choice.values['rate_shape']!r:.80}: {error}") from None
    return sum(shape.lengths_s) if shape.kind == "steps" else None


def choose_arrivals(choice: Choice) -> None:
    """Fill in the law of an open loop, and check what goes with it."""
    values = choice.values
    if values["arrivals"] is None:
        law = "constant" if values["burstiness"] is None else "gamma"
        was = choice.origins["arrivals"]
        choice.take("arrivals", law, "default, as it is an open loop" if was == "default" else was)
    if values["arrivals"] == "gamma" and values["burstiness"] is None:
        choice.take("burstiness", 1.0, "default with gamma arrivals")
    if values["arrivals"] == "replay":
        check_replay(choice)
    elif values["arrivals"] != "burst":
        choose_rate(choice)
    elif values["requests"] is None and values["duration_s"] is not None:
        raise UserError(f"{choice.place('arrivals')} wants a number, as a burst is over at once; give --requests")


def check_replay(choice: Choice) -> None:
    """Raise UserError for a replay of nothing."""
    start_s, end_s = choice.values["replay_start_s"], choice.values["replay_end_s"]
    if not choice.values["dataset"]:
        raise UserError(f"{choice.place('arrivals')} wants a data set with timestamps; give --dataset")
    if end_s is not None and end_s <= start_s:
        raise UserError(f"{choice.place('replay_end_s')} {end_s:g} wants a time after the start, {start_s:g} s")


def choose_rate(choice: Choice) -> None:
    """Raise UserError where a rate is missing; let a run of steps take as long as they do."""
    values = choice.values
    if values["ramp_up_strategy"] is not None:
        return check_ramp(choice)
    length_s = steps_s(choice)
    if length_s is None and values["rate"] is None:
        name = next(name for name in ("rate_shape", "burstiness", "arrivals") if choice.given(name))
        raise UserError(f"{choice.place(name)} wants a rate; give --rate")
    if length_s is not None and not choice.ranks["requests"] and not choice.ranks["duration_s"]:
        choice.take("duration_s", length_s, f"default, as long as the steps of {choice.origins['rate_shape']}")
        choice.take("requests", None, "default, as the steps have an end")


def check_ramp(choice: Choice) -> None:
    """Raise UserError for a ramp without ends, or with one that it never reaches."""
    values, place = choice.values, choice.place("ramp_up_strategy")
    if values["ramp_up_end_rps"] is None and values["rate"] is None:
        raise UserError(f"{place} wants a rate to end with; give {flag_of('ramp_up_end_rps')} or --rate")
    if not choice.given("ramp_up_start_rps"):
        raise UserError(f"{place} wants a rate to start with; give {flag_of('ramp_up_start_rps')}")
    if values["ramp_up_end_rps"] == 0:
        raise UserError(f"{choice.place('ramp_up_end_rps')} wants a rate above 0: the ramp would never end")
    if values["ramp_up_strategy"] == "exponential" and values["ramp_up_start_rps"] == 0:
        raise UserError(
            f"{choice.place('ramp_up_start_rps')} wants a rate above 0: an exponential ramp from 0 stays there"
        )
