import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from perfcore.cli.simulate import command
from perfcore.errors import UserError
from perfcore.run.simulation import SimulatorSettings
from perfcore.run.simulator import RunningSimulator, read_truth, start_simulator
from perfcore_ext.simserver import FAULT_NAMES, body_facts
from tests.reference import simserver as reference
from tests.simclient import AT_ONCE, ask, chat


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(AT_ONCE) as running:
        yield running


def test_port_in_use_is_the_users_mistake(simulator: RunningSimulator) -> None:
    with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {simulator.port}"):
        start_simulator(dataclasses.replace(AT_ONCE, port=simulator.port))


def test_log_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write the truth log"):
        start_simulator(AT_ONCE, tmp_path / "no" / "truth")


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": 70000},
        {"itl_ms": -1.0},
        {"itl_jitter": 2.0},
        {"phase": "x"},
        {"output_tokens": (5, 4)},
        {"model": ""},
        {"faults": (("x", 0.1, None),)},
        {"faults": (("cut", 0.6, None), ("500", 0.6, None))},
    ],
)
def test_setting_out_of_range_is_the_users_mistake(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        SimulatorSettings(**wrong)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_stops_on_a_signal_and_says_what_it_did(tmp_path: Path, number: int) -> None:
    arguments = ["simulate", "--ttft-base-ms", "0", "--itl-ms", "0", "--truth-log", str(tmp_path / "truth")]
    code = f"from perfcore.cli.simulate import command; command({arguments[1:]!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
        ask(RunningSimulator(process, "127.0.0.1", port), chat())  # type: ignore[arg-type]
        process.send_signal(number)
        assert process.stdout.read() == "answered 1 requests with 7 events\n"
    assert process.returncode == 0
    assert len(read_truth(tmp_path / "truth")) == 9


def test_simulator_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os; from perfcore.run.simulator import *; "
        "print(start_simulator(SimulatorSettings()).pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    pidfd_or_none = open_process(int(done.stdout))
    assert pidfd_or_none is None or ended(pidfd_or_none)


def open_process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def ended(pidfd: int) -> bool:
    """Whether the process ends, waiting for it."""
    try:
        return bool(select.select([pidfd], [], [], 30)[0])
    finally:
        os.close(pidfd)


def test_every_setting_is_a_flag() -> None:
    shown = CliRunner().invoke(command, ["--help"]).output
    for field in dataclasses.fields(SimulatorSettings):
        flag = "--fault" if field.name == "faults" else "--" + field.name.replace("_", "-")
        assert f"{flag} " in shown
    assert all(kind in shown for kind in FAULT_NAMES)


@pytest.mark.parametrize("flag", [["--output-tokens", "x"], ["--fault", "cut"], ["--itl-ms", "x"], ["--phase", "x"]])
def test_flag_that_cannot_be_read_is_named(flag: list[str]) -> None:
    outcome = CliRunner().invoke(command, flag)
    assert (outcome.exit_code, flag[0] in outcome.output) == (2, True)


texts = st.text(max_size=20)
parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts}) | st.fixed_dictionaries(
    {"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": texts, "text": texts})}
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant"]), "content": texts | st.lists(parts, max_size=3)}
)
options = st.fixed_dictionaries(
    {},
    optional={
        "stream": st.booleans(),
        "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans(), "x": texts}),
        "max_tokens": st.integers(1, 10**6),
        "temperature": st.floats(0, 2),
        "tools": st.lists(st.dictionaries(texts, texts | st.none() | st.lists(messages, max_size=2))),
        "stop": st.none() | st.lists(texts),
    },
)
prompts = st.one_of(texts, st.lists(texts, max_size=3), st.lists(st.integers(0, 10**6), max_size=5))
asked = st.one_of(
    st.fixed_dictionaries({"messages": st.lists(messages, max_size=4)}), st.fixed_dictionaries({"prompt": prompts})
)
layouts = st.fixed_dictionaries({"ensure_ascii": st.just(False), "indent": st.none() | st.integers(0, 3)})


@given(asked, options, layouts)
def test_request_is_read_as_the_reference_reads_it(
    question: dict[str, Any], more: dict[str, Any], layout: dict[str, Any]
) -> None:
    body = json.dumps(question | more, **layout).encode("utf-8", "replace")
    facts, expected = body_facts(body), reference.body_facts(body)
    assert facts is not None and expected is not None
    assert {key: facts[key] for key in expected} == expected  # type: ignore[literal-required]


@given(asked, options, st.integers(0, 10**6))
def test_request_that_is_cut_is_no_request(question: dict[str, Any], more: dict[str, Any], at: int) -> None:
    body = json.dumps(question | more).encode()
    assert body_facts(body[: at % len(body)]) is None


@given(st.binary(max_size=50), st.sampled_from([b"", b'{"prompt":', b'{"messages":[{"content":"']))
def test_bytes_that_are_no_json_never_crash(tail: bytes, head: bytes) -> None:
    body_facts(head + tail)


def test_escapes_count_as_one_character() -> None:
    facts = body_facts(rb'{"prompt":"a\"\\\u00e9\n\t\/x"}')
    assert facts and (facts["prompt_tokens"], facts["text"]) == (2, 'a"\\é\n\t/x'.encode())
