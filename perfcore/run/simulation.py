"""What the simulator is told, and the process it runs in."""

import contextlib
import dataclasses
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore_ext.simserver import FAULT_NAMES, Simulator, die_with_parent

PHASES = ("aligned", "lockstep", "random")
PIECE = re.compile(r"\s*\S{1,16}|\s+$")
Fault = tuple[str, float, float | None]
Line = tuple[bytes, list[bytes], list[bytes]]


def lengths(text: str) -> tuple[int, int]:
    """Bounds of a uniform distribution of lengths: N, or LO:HI; raises ValueError in words."""
    low, _, high = text.partition(":")
    if not low.isdecimal() or (high and not high.isdecimal()) or text.endswith(":"):
        raise ValueError("wants a number of tokens, or two as in 16:256")
    return int(low), int(high or low)


def fault(text: str) -> Fault:
    """Kind, rate and argument of KIND=RATE or KIND=RATE:ARGUMENT; raises ValueError in words."""
    kind, _, rest = text.partition("=")
    rate, _, argument = rest.partition(":")
    try:
        return kind, float(rate), float(argument) if argument else None
    except ValueError:
        raise ValueError("wants KIND=RATE or KIND=RATE:ARGUMENT, such as stall=0.01:2.5") from None


def choice(text: str) -> str:
    """One of the phases; raises ValueError in words."""
    if text not in PHASES:
        raise ValueError(f"wants {', '.join(PHASES)}")
    return text


def setting(default: Any, words: str, parse: Callable[[str], Any], metavar: str, **more: Any) -> Any:
    """A field with what a flag has to know; `least` and `most` bound numbers, `many` lets a flag be repeated."""
    return field(default=default, metadata={"help": words, "parse": parse, "metavar": metavar, **more})


def switch(default: bool, words: str) -> Any:
    """A field that is on or off."""
    return field(default=default, metadata={"help": words})


@dataclass(frozen=True)
class SimulatorSettings:
    """All that can be set. Raises UserError where a value is out of range."""

    host: str = setting("127.0.0.1", "Address to listen on.", str, "HOST")
    port: int = setting(0, "Port to listen on; 0 takes a free one.", int, "PORT", least=0, most=65535)
    model: str = setting("simulated", "Name of the one model.", str, "NAME")
    strict_model: bool = switch(False, "Answer 404 to requests for another model.")
    ttft_base_ms: float = setting(50.0, "Time to the first token, without the part per token.", float, "MS", least=0)
    ttft_per_token_us: float = setting(0.0, "Further time to the first token per prompt token.", float, "US", least=0)
    itl_ms: float = setting(10.0, "Time between token events.", float, "MS", least=0)
    itl_jitter: float = setting(
        0.0, "Share by which it varies, uniformly and on both sides.", float, "SHARE", least=0, most=1
    )
    phase: str = setting(
        "aligned",
        "Where a stream's clock starts: aligned (at its arrival), random (up to one interval later), or lockstep "
        "(all streams on one grid, as with continuous batching).",
        choice,
        "NAME",
    )
    slots: int = setting(0, "Requests generated at a time, further ones queue; 0: no limit.", int, "N", least=0)
    prefix_cache_tokens: int = setting(
        0, "Tokens of prompts that a prefix cache keeps; 0: there is none.", int, "N", least=0, most=1e10
    )
    output_tokens: tuple[int, int] = setting(
        (64, 64), "Length of an answer that the request does not limit: N, or LO:HI (uniform).", lengths, "N"
    )
    tokens_per_event: int = setting(1, "Tokens in one event, as in speculative decoding.", int, "N", least=1)
    events_per_send: int = setting(
        1, "Events sent at once, that many intervals apart; 0: as many as fit in 64 KiB.", int, "N", least=0
    )
    cut_bytes: int = setting(0, "Cut what is sent into pieces of so many bytes; 0: whole.", int, "N", least=0)
    head_early: bool = switch(True, "Send the response head at once, not with the first token.")
    role_early: bool = switch(False, "Send the role event with an early head, not with the first token.")
    script: str = setting("", 'JSONL of {"prompt", "answer", optional "reasoning"}.', str, "FILE")
    faults: tuple[Fault, ...] = setting(
        (), f"Let a share of the requests fail; kinds: {', '.join(FAULT_NAMES)}.", fault, "KIND=RATE[:ARG]", many=True
    )
    seed: int = setting(0, "Seed of all that is random.", int, "N", least=0, most=2**63 - 1)

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            check_range(each.name, getattr(self, each.name), each.metadata)
        check_lengths(self.output_tokens)
        check_faults(self.faults)
        if self.phase not in PHASES:
            raise UserError(f"simulator setting phase is {self.phase!r}; it is one of {', '.join(PHASES)}")
        if not self.model:
            raise UserError("simulator setting model is empty; give the model a name")


def check_range(name: str, value: Any, limits: Any) -> None:
    """Raise UserError where a number is not within its limits."""
    least, most = limits.get("least"), limits.get("most")
    if least is None or (least <= value <= (1e12 if most is None else most)):
        return
    raise UserError(f"simulator setting {name} is {value}; it is at least {least}{f', at most {most}' if most else ''}")


def check_lengths(bounds: tuple[int, int]) -> None:
    """Raise UserError where no length lies within the bounds."""
    if not 1 <= bounds[0] <= bounds[1] <= 10**9:
        raise UserError(f"simulator setting output_tokens is {bounds[0]}:{bounds[1]}; it is 1 <= LO <= HI <= 1e9")


def check_faults(faults: tuple[Fault, ...]) -> None:
    """Raise UserError for a kind that is not known and for rates that are none."""
    for kind, rate, _ in faults:
        if kind not in FAULT_NAMES:
            raise UserError(f"simulator fault {kind!r} is not known; there are {', '.join(FAULT_NAMES)}")
        if not 0 <= rate <= 1:
            raise UserError(f"simulator fault {kind} has the rate {rate}; it is from 0 to 1")
    if sum(rate for _, rate, _ in faults) > 1 + 1e-9:
        raise UserError("the rates of the simulator's faults add up to more than 1; lower one")


def pieces(text: str) -> list[bytes]:
    """Word-like pieces of a text, each the body of a JSON string in UTF-8; joined they are the text."""
    return [json.dumps(piece, ensure_ascii=False)[1:-1].encode() for piece in PIECE.findall(text)]


def read_script(path: Path) -> list[Line]:
    """Scripted answers as the simulator wants them; raises UserError that names file and line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"cannot read the script {path}: {error.strerror}; give a readable JSONL file") from None
    return [script_line(f"{path}:{number}", line) for number, line in enumerate(lines, 1) if line.strip()]


def script_line(where: str, line: bytes) -> Line:
    """One scripted answer."""
    try:
        entry = json.loads(line)
        texts = entry["prompt"], entry.get("reasoning") or "", entry["answer"]
        return texts[0].encode(), pieces(texts[1]), pieces(texts[2])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f'{where} is not a JSON object with texts "prompt" and "answer"; mend the line') from None


def raise_descriptor_limit() -> None:
    """Allow as many connections as the hard limit does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_simulator(settings: SimulatorSettings, truth_log: Path | None) -> Simulator:
    """A simulator that listens; raises UserError where it cannot."""
    script = read_script(Path(settings.script)) if settings.script else []
    try:
        return Simulator(settings.host, settings.port, settings, script, truth_log)
    except OSError as error:
        if error.filename:
            raise UserError(f"cannot write the truth log {truth_log}: {error.strerror}; choose another file") from None
        where = f"{settings.host} port {settings.port}"
        raise UserError(f"the simulator cannot listen on {where}: {error.strerror}; choose another") from None


def serve(settings: SimulatorSettings, truth_log: Path | None, told: Callable[[Simulator], None]) -> Simulator:
    """Run a simulator until SIGTERM or SIGINT; `told` is called with it when it listens."""
    raise_descriptor_limit()
    simulator = make_simulator(settings, truth_log)
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: simulator.stop())
    told(simulator)
    simulator.run()
    return simulator


def main(settings: str, truth_log: str, pipe: str, parent: str) -> int:
    """Be the child of `start_simulator`: write the port, or what is wrong, into the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process when it has drained
    die_with_parent(int(parent))
    ready = int(pipe)
    try:
        serve(
            msgspec.json.decode(settings, type=SimulatorSettings),
            Path(truth_log) if truth_log else None,
            lambda simulator: tell(ready, simulator.port),
        )
    except UserError as error:
        tell(ready, str(error))
        return 2
    except BrokenPipeError:  # the parent was interrupted while it waited, and wants no simulator any more
        return 0
    return 0


def tell(pipe: int, words: object) -> None:
    """One line to the parent, and no more."""
    try:
        os.write(pipe, f"{words}\n".encode())
    finally:
        os.close(pipe)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
