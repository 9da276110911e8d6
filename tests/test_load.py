"""Which options of load go together, and what is taken where they leave something open."""

from pathlib import Path
from typing import Any

import pytest

from perfcore.config import Resolved, resolve
from perfcore.errors import UserError

RAMP = {"ramp_up_strategy": "linear", "ramp_up_start_rps": "1"}


def resolved(flags: dict[str, Any], config: Path | None = None) -> Resolved:
    return resolve(flags, config, {})


def written(folder: Path, text: str) -> Path:
    path = folder / "x.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("flags", "arrivals", "burstiness"),
    [
        ({}, None, None),
        ({"concurrency": "4"}, None, None),
        ({"rate": "5"}, "constant", None),
        ({"rate": "5", "arrivals": "poisson"}, "poisson", None),
        ({"rate": "5", "arrivals": "gamma"}, "gamma", 1.0),
        ({"rate": "5", "burstiness": "0.3"}, "gamma", 0.3),
        ({"arrivals": "burst"}, "burst", None),
        ({"arrivals": "replay", "dataset": "x.jsonl", "speed": "4"}, "replay", None),
        ({"rate": "5", **RAMP}, "constant", None),
        ({"ramp_up_end_rps": "5", **RAMP}, "constant", None),
        ({"arrivals": "poisson", "rate_shape": "steps:5@2s"}, "poisson", None),
        ({"rate": "5", "rate_shape": "sine:60s,1"}, "constant", None),
    ],
)
def test_arrivals_are_named_in_an_open_loop_and_only_there(
    flags: dict[str, Any], arrivals: str | None, burstiness: float | None
) -> None:
    options = resolved(flags).options
    assert (options.arrivals, options.burstiness) == (arrivals, burstiness)
    assert (options.concurrency is None) == (arrivals is not None)


def test_steps_say_how_long_the_run_is_unless_something_else_does() -> None:
    got = resolved({"rate_shape": "steps:5@2s,10@1m"})
    assert (got.options.requests, got.options.duration_s) == (None, 62.0)
    assert got.origins["duration_s"] == "default, as long as the steps of --rate-shape"
    assert resolved({"rate_shape": "steps:5@2s", "requests": "7"}).options.requests == 7


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"arrivals": "poisson"}, ["arrivals (--arrivals) wants a rate; give --rate"]),
        ({"arrivals": "gamma"}, ["arrivals (--arrivals) wants a rate"]),
        ({"burstiness": "2"}, ["burstiness (--burstiness) wants a rate"]),
        ({"rate_shape": "sine:60s,1"}, ["rate_shape (--rate-shape) wants a rate"]),
        ({"rate": "5", "arrivals": "burst"}, ["arrivals (--arrivals)", "rate (--rate)", "a burst has no rate"]),
        ({"arrivals": "burst", **RAMP}, ["ramp_up_strategy (--ramp-up-strategy)", "a burst has no rate"]),
        ({"rate": "5", "arrivals": "poisson", "burstiness": "2"}, ["burstiness (--burstiness) is the shape of gamma"]),
        ({"rate": "5", "speed": "2"}, ["speed (--speed) is for --arrivals replay alone"]),
        ({"rate": "5", "replay_start_s": "2"}, ["replay_start (--replay-start) is for --arrivals replay"]),
        ({"replay_end_s": "2"}, ["replay_end (--replay-end) is for --arrivals replay"]),
        ({"arrivals": "burst", "duration_s": "5"}, ["arrivals (--arrivals) wants a number"]),
        ({"arrivals": "replay"}, ["arrivals (--arrivals) wants a data set with timestamps"]),
        (
            {"arrivals": "replay", "dataset": "x", "replay_start_s": "9", "replay_end_s": "5"},
            ["replay_end (--replay-end) 5 wants a time after the start, 9 s"],
        ),
        ({"rate": "5", "ramp_up_end_rps": "9"}, ["ramp_up_end_rps (--ramp-up-end-rps) is for a --ramp-up-strategy"]),
        ({"ramp_up_end_rps": "9", "rate": "5", **RAMP}, ["rate (--rate)", "both say where the ramp ends"]),
        ({"rate": "5", "rate_shape": "onoff:1s,1s", **RAMP}, ["rate_shape (--rate-shape)", "how the rate changes"]),
        ({"rate": "5", "rate_shape": "steps:1@1s"}, ["rate (--rate)", "rate_shape (--rate-shape)", "both give rates"]),
        ({"rate": "5", "rate_shape": "sine"}, ["rate_shape (--rate-shape) 'sine': wants sine:PERIOD,DEPTH"]),
        (RAMP, ["ramp_up_strategy (--ramp-up-strategy) wants a rate to end with"]),
        ({"rate": "5", "ramp_up_strategy": "linear"}, ["wants a rate to start with; give --ramp-up-start-rps"]),
        ({"ramp_up_end_rps": "0", **RAMP}, ["ramp_up_end_rps (--ramp-up-end-rps) wants a rate above 0"]),
        (
            {"rate": "5", "ramp_up_strategy": "exponential", "ramp_up_start_rps": "0"},
            ["ramp_up_start_rps (--ramp-up-start-rps) wants a rate above 0"],
        ),
        ({"ramp": "1", "arrivals": "burst"}, ["ramp (--ramp)", "arrivals (--arrivals)", "say different things"]),
    ],
)
def test_what_contradicts_itself_is_refused_by_name(flags: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        resolved(flags)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    ("text", "flags", "left_out", "arrivals"),
    [
        ("rate = 5", {"arrivals": "burst"}, "rate", "burst"),
        ("arrivals = 'burst'", {"rate": "5"}, "arrivals", "constant"),
        ("rate = 5\nburstiness = 2", {"arrivals": "poisson"}, "burstiness", "poisson"),
        ("arrivals = 'replay'\nspeed = 3\ndataset = 'x'", {"arrivals": "poisson", "rate": "1"}, "speed", "poisson"),
        ("rate = 5", {"rate_shape": "steps:1@1s"}, "rate", "constant"),
        ("rate = 5", {"ramp_up_end_rps": "9", **RAMP}, "rate", "constant"),
        ("rate = 5", {"ramp": "1"}, "rate", None),
    ],
)
def test_of_two_that_exclude_each_other_the_nearer_one_stays(
    tmp_path: Path, text: str, flags: dict[str, Any], left_out: str, arrivals: str | None
) -> None:
    got = resolved(flags, written(tmp_path, text))
    assert got.origins[left_out].startswith("left out for --")
    assert got.options.arrivals == arrivals


def test_a_ramp_without_an_end_goes_to_the_rate() -> None:
    options = resolved({"rate": "5", **RAMP}).options
    assert (options.rate, options.ramp_up_start_rps, options.ramp_up_end_rps) == (5.0, 1.0, None)
