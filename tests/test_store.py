import json
import random
import resource
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcore.analysis import metrics
from perfcore.errors import UserError
from perfcore.records import store
from perfcore.records.journal import BLOCK_HEADER, FILE_HEADER, JournalWriter, Kind
from perfcore.records.stream import read_frames
from perfcore.types import Damage, Requests, Run
from perfcore_ext import frame
from tests.reference.frame import Event, pack, unpack

ROLE, CONTENT, REASONING, FINISH = (frame.EVENT_KINDS[name] for name in ("role", "content", "reasoning", "finish"))
RESET, HTTP, REFUSED = (frame.ERROR_CLASSES.index(name) for name in ("reset", "http_status", "refused"))
WARMUP = frame.PHASES.index("warmup")
ROWS: list[dict[str, Any]] = [
    {"id": "a", "prompt": "1+1?", "messages": None, "reference": "2", "meta": {"level": 1}},
    {"id": "b", "prompt": None, "messages": [{"role": "user", "content": "2+2?"}], "reference": 4, "meta": None},
]


def build(folder: Path, *frames: bytes, lost: Any = (), notes: Any = (), rows: Any = ROWS) -> Run:
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    if lost:
        journal.append(Kind.LOST, 0, json.dumps(list(lost)).encode())
    for note in notes:
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    return store.build(folder)


def outputs(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "outputs.jsonl").read_bytes().splitlines()]


def requests(folder: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = pq.read_table(folder / "requests.parquet").to_pylist()
    return table


def classes(run: Run) -> list[str]:
    return [run.requests.error_classes[code] for code in run.requests.error_class]


def test_run_without_any_frame_gives_empty_tables(tmp_path: Path) -> None:
    run = build(tmp_path)
    assert (len(run.requests.request_id), len(run.gaps_ns)) == (0, 0)
    assert (requests(tmp_path), pq.read_table(tmp_path / "events.parquet").num_rows, outputs(tmp_path)) == ([], 0, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "events.parquet",
        "journal.bin",
        "outputs.jsonl",
        "requests.parquet",
    ]


def test_requests_are_in_the_order_of_their_number_and_attempt(tmp_path: Path) -> None:
    places = [(2, 0), (0, 0), (1, 1), (1, 0)]
    run = build(tmp_path, *(pack(request_id=number, attempt=attempt) for number, attempt in places))
    assert list(zip(run.requests.request_id, run.requests.attempt, strict=True)) == sorted(places)


def test_columns_have_one_entry_for_each_request(tmp_path: Path) -> None:
    run = build(tmp_path, pack(request_id=0), pack(request_id=1), lost=[{"request_id": 2}])
    columns = [getattr(run.requests, field.name) for field in fields(Requests)]
    assert {len(column) for column in columns if not isinstance(column, tuple)} == {3}


def test_requests_parquet_has_nulls_where_nothing_is_known(tmp_path: Path) -> None:
    build(tmp_path, pack([Event(50)], sent_ns=10, end_ns=60, new_connection=1, http_status=200, finish=b"stop"))
    (row,) = requests(tmp_path)
    wanted: dict[str, Any] = {
        "sent_ns": 10,
        "first_token_ns": 50,
        "uploaded_ns": None,
        "input_tokens": None,
        "retry_after_ns": None,
    }
    wanted |= {"error_class": "ok", "error": None, "finish_reason": "stop", "phase": "measured", "new_connection": True}
    assert {name: row[name] for name in wanted} == wanted


def test_output_tokens_are_counted_from_events_where_the_server_says_nothing(tmp_path: Path) -> None:
    events = [Event(1, kind=ROLE), Event(2), Event(3)]
    build(tmp_path, pack(events, request_id=0), pack(events, request_id=1, output_tokens=7))
    assert [(row["output_tokens"], row["token_source"]) for row in requests(tmp_path)] == [(2, "events"), (7, "server")]


def test_each_http_status_is_a_class_of_its_own(tmp_path: Path) -> None:
    statuses = [503, 500, 503]
    frames = [pack(request_id=at, error_class=HTTP, http_status=status) for at, status in enumerate(statuses)]
    assert classes(build(tmp_path, *frames)) == ["http_503", "http_500", "http_503"]


def test_error_samples_are_the_first_message_of_each_class(tmp_path: Path) -> None:
    failures = [(REFUSED, b""), (RESET, b'"first"'), (RESET, b"second"), (REFUSED, b"later")]
    run = build(tmp_path, *(pack(request_id=at, error_class=c, error=e) for at, (c, e) in enumerate(failures)))
    assert run.error_samples == {"reset": "first", "refused": "later"}
    assert [row["error"] for row in requests(tmp_path)] == [None, "first", "second", "later"]


def test_events_parquet_names_the_main_kind(tmp_path: Path) -> None:
    kinds = [ROLE, ROLE | CONTENT, CONTENT | FINISH, REASONING, FINISH | frame.EVENT_KINDS["usage"], 0, 511]
    build(tmp_path, pack([Event(at, kind, at, at, at) for at, kind in enumerate(kinds)], request_id=9))
    table = pq.read_table(tmp_path / "events.parquet").to_pydict()
    assert table["kind"] == ["role", "content", "content", "reasoning", "finish", "other", "error"]
    for name in ("t_ns", "chars", "read_seq", "read_delay_ns"):
        assert table[name] == list(range(7))
    assert table["request_id"] == [9] * 7


def test_gaps_are_those_between_token_events_of_successful_measured_requests(tmp_path: Path) -> None:
    events = [Event(5, kind=ROLE), Event(10), Event(17, kind=REASONING), Event(20), Event(21, kind=FINISH)]
    others = [{"error_class": RESET}, {"phase": WARMUP}]
    frames = [pack(events, request_id=at, **other) for at, other in enumerate([{}, *others, {}])]
    assert build(tmp_path, *frames).gaps_ns.tolist() == [7, 3, 7, 3]


def test_stamps_are_those_of_all_token_events_but_of_warm_ups_where_they_are_asked_for(tmp_path: Path) -> None:
    events = [Event(5, kind=ROLE), Event(10), Event(17, kind=REASONING), Event(21, kind=FINISH)]
    frames = [pack(events, request_id=at, **other) for at, other in enumerate([{}, {"error_class": RESET}])]
    warm = pack(events, request_id=2, phase=WARMUP)
    assert build(tmp_path, *frames, warm, frames[0]).stamps is None
    stamps = store.build(tmp_path, stamps=True).stamps
    assert stamps is not None
    assert (stamps.t_ns.tolist(), stamps.row.tolist()) == ([10, 17, 10, 17], [0, 0, 1, 1])


def test_reads_count_token_events_that_came_together(tmp_path: Path) -> None:
    seqs = [1, 1, 2, 3, 3, 3]
    events = [Event(at, read_seq=seq, read_delay_ns=100 * at) for at, seq in enumerate(seqs)]
    reads = build(tmp_path, pack(events), pack([Event(9, read_seq=3)], request_id=1)).reads
    assert (reads.token_events, reads.shared_token_events) == (7, 5)
    assert (reads.read_delay_p50_ns, reads.read_delay_max_ns) == (200, 500)


def test_output_line_has_the_row_and_the_texts(tmp_path: Path) -> None:
    answer: dict[str, Any] = {"content": rb"\u0032\n", "reasoning": b"add", "finish": b"stop"}
    build(tmp_path, pack(index=0, repeat=3, **answer), pack(request_id=1, index=1, tool=rb"{\"x\":1}"))
    first, second = outputs(tmp_path)
    assert first == {
        **{"id": "a", "index": 0, "repeat": 3, "prompt": "1+1?", "prediction": "2\n", "reasoning": "add"},
        "turn": 0,
        **{
            "tool_arguments": None,
            "tool_calls": None,
            "finish_reason": "stop",
            "error": None,
            "reference": "2",
            "meta": {"level": 1},
        },
    }
    assert (second["prompt"], second["prediction"], second["reference"]) == (ROWS[1]["messages"], None, 4)
    assert second["tool_arguments"] == '{"x":1}'


def test_turn_and_target_are_kept(tmp_path: Path) -> None:
    build(tmp_path, pack(turn=3, target=2), lost=[{"request_id": 1}])
    assert [(row["turn"], row["target"]) for row in requests(tmp_path)] == [(3, 2), (0, None)]


def test_server_that_names_the_failure_gives_it_its_class(tmp_path: Path) -> None:
    said = b'{"message": "The model `x` does not exist."}'
    run = build(tmp_path, pack(error_class=HTTP, http_status=404, error=said))
    assert (classes(run), run.error_samples) == (["unknown_model"], {"unknown_model": said.decode()})
    assert outputs(tmp_path)[0]["error"] == f"unknown_model: {said.decode()}"


def test_one_status_with_several_messages_is_several_classes(tmp_path: Path) -> None:
    said = [b"maximum context length is 10 tokens", b"no", b"", b"prompt is too long", b"no"]
    frames = [pack(request_id=at, error_class=HTTP, http_status=400, error=e) for at, e in enumerate(said)]
    long = "context_too_long"
    assert classes(build(tmp_path, *frames)) == [long, "http_400", "http_400", long, "http_400"]


def test_retried_request_counts_with_its_last_attempt(tmp_path: Path) -> None:
    frames = [
        pack(attempt=0, error_class=RESET, due_ns=5, sent_ns=10, end_ns=20, content=b"ha"),
        pack([Event(130), Event(140)], attempt=1, due_ns=100, sent_ns=110, end_ns=140, streamed=1, content=b"half"),
    ]
    found = metrics.compute(build(tmp_path, *frames))
    assert (found["requests"]["total"], found["requests"]["ok"], found["requests"]["retries"]) == (1, 1, 1)
    assert found["latency"]["ttft_ms"]["mean"] == pytest.approx(20e-6)
    assert found["latency"]["ttft_from_intended_ms"]["mean"] == pytest.approx(125e-6)
    assert [line["prediction"] for line in outputs(tmp_path)] == ["half"]


def test_only_the_last_attempt_of_measured_requests_has_an_output_line(tmp_path: Path) -> None:
    frames = [
        pack(request_id=0, phase=WARMUP, content=b"warm"),
        pack(request_id=1, attempt=1, content=b"second try"),
        pack(request_id=1, attempt=0, error_class=RESET),
    ]
    build(tmp_path, *frames)
    assert [line["prediction"] for line in outputs(tmp_path)] == ["second try"]


def test_failed_request_has_class_and_message_in_its_output_line(tmp_path: Path) -> None:
    build(tmp_path, pack(error_class=RESET), pack(request_id=1, error_class=HTTP, http_status=503, error=b"busy"))
    assert [line["error"] for line in outputs(tmp_path)] == ["reset", "http_503: busy"]


def test_request_of_a_dead_worker_is_recorded_as_lost(tmp_path: Path) -> None:
    lost = {"request_id": 1, "index": 1, "repeat": 0, "due_ns": 5, "sent_ns": 6, "worker": 2, "phase": "measured"}
    run = build(tmp_path, pack(request_id=0), lost=[lost])
    assert classes(run) == ["ok", "lost_worker"]
    assert {name: requests(tmp_path)[1][name] for name in lost} == lost
    assert (outputs(tmp_path)[1]["id"], outputs(tmp_path)[1]["error"]) == ("b", "lost_worker")


def test_lost_request_whose_frame_did_arrive_is_not_lost(tmp_path: Path) -> None:
    assert classes(build(tmp_path, pack(request_id=3), lost=[{"request_id": 3}])) == ["ok"]


def test_place_of_a_lost_request_follows_from_its_sequence(tmp_path: Path) -> None:
    run = build(tmp_path, lost=[{"request_id": 9, "sequence": 5}])
    assert (run.requests.index.tolist(), run.requests.repeat.tolist()) == ([1], [2])


def test_claimed_numbers_that_nobody_accounts_for_are_lost(tmp_path: Path) -> None:
    run = build(tmp_path, pack(request_id=1), lost=[{"request_id": 2}], notes=[{"note": "end", "claimed": 4}])
    assert list(zip(run.requests.request_id, classes(run), strict=True)) == [
        (0, "lost_worker"),
        (1, "ok"),
        (2, "lost_worker"),
        (3, "lost_worker"),
    ]
    assert [line["prompt"] for line in outputs(tmp_path)] == ["1+1?", None, None, None]


def test_frame_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    run = build(tmp_path, *[pack([Event(1), Event(3)], content=b"x")] * 2)
    assert (len(run.requests.request_id), run.gaps_ns.tolist(), len(outputs(tmp_path))) == (1, [2], 1)
    assert pq.read_table(tmp_path / "events.parquet").num_rows == 2


def test_notes_are_kept_in_their_order(tmp_path: Path) -> None:
    notes = [{"note": "phase"}, {"note": "end"}]
    assert list(build(tmp_path, notes=notes).notes) == notes


def test_build_can_be_repeated(tmp_path: Path) -> None:
    first = build(tmp_path, pack([Event(1), Event(2)], content=b"x"))
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert store.build(tmp_path).gaps_ns.tolist() == first.gaps_ns.tolist()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def test_row_that_is_cut_between_blocks_is_found(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "journal.bin")
    data = b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)
    journal.append(Kind.FRAMES, 0, pack(index=0), pack(request_id=1, index=1))
    for at in range(0, len(data), 50):
        journal.append(Kind.ROWS, 0, data[at : at + 50])
    journal.close()
    store.build(tmp_path)
    assert [line["id"] for line in outputs(tmp_path)] == ["a", "b"]


def damaged(folder: Path, number: int) -> None:
    """Change a byte in the payload of this block of the journal."""
    data = bytearray((folder / "journal.bin").read_bytes())
    at = FILE_HEADER.size
    for _ in range(number):
        at += BLOCK_HEADER.size + BLOCK_HEADER.unpack_from(data, at)[3]
    data[at + BLOCK_HEADER.size] ^= 1
    (folder / "journal.bin").write_bytes(data)


def test_frames_around_a_damaged_block_are_saved(tmp_path: Path) -> None:
    stream = b"".join(pack([Event(at)], request_id=at) for at in range(9))
    size = len(stream) // 9
    journal = JournalWriter(tmp_path / "journal.bin")
    for piece in (stream[: 2 * size + 100], stream[2 * size + 100 : 5 * size - 7], stream[5 * size - 7 :]):
        journal.append(Kind.FRAMES, 0, piece)
        journal.append(Kind.FRAMES, 1, pack(request_id=100 + len(piece)))
    journal.close()
    damaged(tmp_path, 2)
    run = store.build(tmp_path)
    assert run.requests.request_id[run.requests.worker == 0].tolist()[:6] == [0, 1, 5, 6, 7, 8]
    assert len(run.requests.request_id) == 6 + 3
    assert run.damage == Damage(corrupt_blocks=1, skipped_bytes=BLOCK_HEADER.size + 3 * size)


def test_rows_behind_a_damaged_block_are_not_confused(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "journal.bin")
    for row in ROWS:
        journal.append(Kind.ROWS, 0, json.dumps(row).encode() + b"\n")
    journal.append(Kind.FRAMES, 0, pack(index=0, content=b"2"), pack(request_id=1, index=1))
    journal.close()
    damaged(tmp_path, 0)
    store.build(tmp_path)
    assert [(line["id"], line["prediction"]) for line in outputs(tmp_path)] == [(None, "2"), (None, None)]


def test_run_killed_while_it_wrote_keeps_every_whole_frame(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "journal.bin")
    whole = pack([Event(1)])
    journal.append(Kind.FRAMES, 0, whole + whole[:99])
    journal.close()
    run = store.build(tmp_path)
    assert (len(run.requests.request_id), run.damage) == (1, Damage(torn_bytes=99))


def test_missing_journal_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the journal"):
        store.build(tmp_path)


def test_full_disk_leaves_the_files_that_were_there(tmp_path: Path) -> None:
    build(tmp_path, pack())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write to"):
            store.build(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 1 << 30), batch=st.sampled_from([1, 1000, 1 << 20]))
def test_frames_come_back_from_any_pieces_in_any_batches(tmp_path: Path, seed: int, batch: int) -> None:
    rng = random.Random(seed)
    (tmp_path / "journal.bin").unlink(missing_ok=True)
    journal = JournalWriter(tmp_path / "journal.bin")
    streams = [b"".join(pack(request_id=at, content=rng.randbytes(rng.randrange(999))) for at in range(5))] * 3
    left = dict(enumerate(streams))
    while left:
        worker = rng.choice(sorted(left))
        piece, left[worker] = left[worker][: (size := rng.randrange(2000))], left[worker][size:]
        journal.append(Kind.FRAMES, worker, piece)
        if not left[worker]:
            del left[worker]
    journal.close()
    batches = list(read_frames(journal.path, Damage(), journal.size, batch))
    expected = [fields["request_id"] for stream in streams for fields in unpack(stream)]
    assert sorted(np.concatenate([frames.headers["request_id"] for frames in batches])) == sorted(expected)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damage_anywhere_costs_no_more_than_what_it_touched(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "journal.bin").unlink(missing_ok=True)
    journal = JournalWriter(tmp_path / "journal.bin")
    starts = []
    for at in range(20):
        starts.append(journal.size)
        journal.append(Kind.FRAMES, at % 2, pack([Event(1), Event(2)], request_id=at, content=b"x" * (50 * at)))
    journal.close()
    first, last = sorted(data.draw(st.tuples(*[st.integers(FILE_HEADER.size, journal.size - 1)] * 2)))
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:first] + data.draw(st.binary(max_size=400)) + content[last + 1 :])
    found = set(store.build(tmp_path).requests.request_id.tolist())
    ends = [*starts[1:], journal.size]
    assert found >= {at for at in range(20) if ends[at] <= first or starts[at] > last}
    assert found <= set(range(20))


def test_a_count_of_none_beside_a_text_is_no_count(tmp_path: Path) -> None:
    build(tmp_path, pack([Event(1), Event(2)], output_tokens=0))
    assert [(row["output_tokens"], row["token_source"]) for row in requests(tmp_path)] == [(2, "events")]
