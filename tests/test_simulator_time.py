import dataclasses
import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.run.simulation import SimulatorSettings
from perfcore.run.simulator import TRUTH_KINDS, RunningSimulator, read_truth, start_simulator
from perfcore_ext.simserver import due_times
from tests.reference import simserver as reference
from tests.simclient import AT_ONCE, CHAT, ask, chat, post, said


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(AT_ONCE) as running:
        yield running


SETTINGS = st.builds(
    SimulatorSettings,
    ttft_base_ms=st.sampled_from([0.0, 1.0, 33.3]),
    ttft_per_token_us=st.sampled_from([0.0, 12.5]),
    itl_ms=st.sampled_from([0.0, 0.001, 10.0]),
    itl_jitter=st.sampled_from([0.0, 0.3, 1.0]),
    phase=st.sampled_from(["aligned", "lockstep", "random"]),
    seed=st.integers(0, 2**63 - 1),
)


@given(SETTINGS, st.integers(0, 10**6), st.integers(0, 10**9), st.integers(0, 10**5), st.integers(1, 30))
def test_deadlines_are_those_of_the_reference(
    settings: SimulatorSettings, number: int, start_ns: int, prompt_tokens: int, count: int
) -> None:
    times = due_times(settings, number, 0, start_ns, prompt_tokens, count)
    assert times == pytest.approx(reference.due_times(settings, number, 0, start_ns, prompt_tokens, count), abs=2)


def test_streams_in_lockstep_share_one_grid() -> None:
    settings = SimulatorSettings(ttft_base_ms=5, itl_ms=10, phase="lockstep", itl_jitter=0.5, seed=3)
    early, late = (due_times(settings, number, 0, start, 0, 50) for number, start in ((0, 7_000_000), (1, 91_234_567)))
    assert set(early) >= set(late[:40])


def test_no_event_is_sent_before_its_time(tmp_path: Path) -> None:
    settings = SimulatorSettings(ttft_base_ms=3, ttft_per_token_us=1000, itl_ms=2, itl_jitter=0.5, phase="random")
    with start_simulator(settings, tmp_path / "truth") as running:
        ask(running, chat("four" * 4, tokens=20))
    truth = read_truth(tmp_path / "truth")
    arrival = int(truth["time_ns"][truth["kind"] == TRUTH_KINDS["arrival"]][0])
    due = due_times(settings, 0, 0, arrival, 4, 20)
    assert (truth["time_ns"][truth["kind"] == TRUTH_KINDS["token"]] >= due).all()
    assert due[0] >= arrival + 7_000_000


def test_request_waits_for_a_slot_until_the_last_token_of_another(tmp_path: Path) -> None:
    settings = SimulatorSettings(ttft_base_ms=1, itl_ms=1, slots=1)
    with start_simulator(settings, tmp_path / "truth") as running:
        clients = [http.client.HTTPConnection(running.host, running.port, timeout=30) for _ in range(3)]
        for client in clients:
            client.request("POST", CHAT, json.dumps(chat(tokens=10)))
        assert [len(said(client.getresponse().read()).split()) for client in clients] == [10] * 3
        for client in clients:
            client.close()
    truth = read_truth(tmp_path / "truth")
    order = truth["request"][truth["kind"] == TRUTH_KINDS["token"]]
    assert order.tolist() == [0] * 10 + [1] * 10 + [2] * 10


def test_client_that_goes_gives_its_slot_back() -> None:
    with start_simulator(SimulatorSettings(ttft_base_ms=0, itl_ms=1, slots=1)) as running:
        with socket.create_connection((running.host, running.port), timeout=30) as client:
            client.sendall(post(json.dumps(chat("[[fault:stall]]")).encode()))
            client.recv(1)
        assert len(said(ask(running, chat())[1]).split()) == 4


def test_truth_log_has_every_event_of_a_request_by_its_id(simulator: RunningSimulator, tmp_path: Path) -> None:
    with start_simulator(AT_ONCE, tmp_path / "truth") as running:
        ask(running, chat(tokens=2, stream_options={"include_usage": True}), x_request_id="77")
        ask(running, chat(tokens=1, stream=False), x_request_id="abc")
    truth = read_truth(tmp_path / "truth")
    names = {kind: name for name, kind in TRUTH_KINDS.items()}
    first, second = truth[truth["request"] == 0], truth[truth["request"] == 1]
    kinds = [names[kind] for kind in first["kind"].tolist()]
    assert kinds == ["arrival", "head", "role", "token", "token", "finish", "usage", "done"]
    assert first["event"].tolist() == [-1, -1, 0, 1, 2, 3, 4, 5]
    assert set(first["client_request"].tolist()) == {77} and set(second["client_request"].tolist()) == {-1}
    assert [names[kind] for kind in second["kind"].tolist()] == ["arrival", "head", "body"]
    assert (np.diff(truth["time_ns"]) >= 0).all()


def test_events_of_one_send_share_its_time(tmp_path: Path) -> None:
    with start_simulator(dataclasses.replace(AT_ONCE, events_per_send=5), tmp_path / "truth") as running:
        ask(running, chat(tokens=20))
    truth = read_truth(tmp_path / "truth")
    tokens = truth["time_ns"][truth["kind"] == TRUTH_KINDS["token"]].reshape(4, 5)
    assert (tokens == tokens[:, :1]).all() and len(set(tokens[:, 0].tolist())) == 4


def test_long_log_is_complete(tmp_path: Path) -> None:
    with start_simulator(dataclasses.replace(AT_ONCE, events_per_send=0), tmp_path / "truth") as running:
        ask(running, chat(tokens=30_000))
    truth = read_truth(tmp_path / "truth")
    assert truth["event"][truth["event"] >= 0].tolist() == list(range(30_003))
