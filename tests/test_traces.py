"""Traces of which only times and lengths are known: Mooncake's, Azure's and BurstGPT's."""

import json
import pickle
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted
from perfcore.workload.sources.traces import READERS, Trace

DATA = Path("tests/data/traces")
MOONCAKE = DATA / "mooncake/conversation_trace.jsonl"
AZURE = DATA / "azure_llm_2023/AzureLLMInferenceTrace_conv.csv"
BURST = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45.5,ChatGPT,1087,0,1087,API log
118,GPT-4,417,276,693,Conversation log
"""


def opened(reader: str, path: Path, wanted: Wanted | None = None, **settings: Any) -> Trace:
    found = READERS[reader].read([path], READERS[reader].settings(**settings), wanted or Wanted())
    assert isinstance(found, Trace)
    return found


def written(folder: Path, rows: Sequence[Any]) -> Path:
    path = folder / "trace.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(trace: Trace) -> list[Row]:
    return trace.part(0, len(trace))


def words(row: Row) -> list[str]:
    return (row.prompt or "").split(" ")


@pytest.fixture(scope="module")
def mooncake() -> list[Row]:
    return rows_of(opened("mooncake", MOONCAKE))


def test_rows_have_the_times_and_lengths_of_the_recording(mooncake: list[Row]) -> None:
    recorded = [json.loads(line) for line in MOONCAKE.read_text().splitlines()]
    assert [row.timestamp_ns for row in mooncake] == [line["timestamp"] * 1_000_000 for line in recorded]
    assert [row.max_tokens for row in mooncake] == [line["output_length"] for line in recorded]
    assert [row.input_tokens for row in mooncake] == [line["input_length"] for line in recorded]
    assert [len(words(row)) for row in mooncake] == [line["input_length"] for line in recorded]
    assert [row.id for row in mooncake] == [str(number) for number in range(1, 301)]


def test_a_cache_of_blocks_is_hit_as_in_the_recording(mooncake: list[Row]) -> None:
    recorded = [json.loads(line)["hash_ids"] for line in MOONCAKE.read_text().splitlines()]
    assert hits([blocks(words(row)) for row in mooncake]) == hits([list(map(str, ids)) for ids in recorded]) > 0


def blocks(tokens: list[str]) -> list[str]:
    return [" ".join(tokens[at : at + 512]) for at in range(0, len(tokens), 512)]


def hits(requests: list[list[str]]) -> int:
    """Blocks that an endless prefix cache has when their request comes."""
    seen: set[tuple[str, ...]] = set()
    found = 0
    for request in requests:
        prefixes = [tuple(request[:size]) for size in range(1, len(request) + 1)]
        found += sum(prefix in seen for prefix in prefixes)
        seen.update(prefixes)
    return found


def test_azure_has_dates_to_a_tenth_of_a_microsecond() -> None:
    rows = rows_of(opened("azure", AZURE))
    first_ns = rows[0].timestamp_ns or 0
    assert (len(rows), rows[0].input_tokens, rows[0].max_tokens) == (300, 374, 44)
    assert (rows[1].timestamp_ns or 0) - first_ns == 4_314_579_000
    assert len({row.prompt[:40] for row in rows if row.prompt}) == 300


def test_burstgpt_has_seconds_models_and_logs(tmp_path: Path) -> None:
    path = tmp_path / "BurstGPT_1.csv"
    path.write_text(BURST)
    trace = opened("burstgpt", path)
    assert [(row.id, row.timestamp_ns, row.input_tokens, row.max_tokens) for row in rows_of(trace)] == [
        ("1", 5_000_000_000, 472, 18),
        ("3", 118_000_000_000, 417, 276),
    ]
    assert rows_of(trace)[1].meta == {"model": "GPT-4", "log_type": "Conversation log"}
    assert trace.remarks == ("1 of 3 requests were recorded without a token of prompt or answer and were left out",)


def test_failed_requests_are_sent_for_a_token_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "BurstGPT_1.csv"
    path.write_text(BURST)
    rows = rows_of(opened("burstgpt", path, failures="send", models=["ChatGPT"], log_types=["API log"]))
    assert [(row.id, row.input_tokens, row.max_tokens) for row in rows] == [("2", 1087, 1)]


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(tokenizer="tests/data/tiny-add")])
def test_parts_are_the_same_however_they_are_cut_and_wherever_they_are_made(wanted: Wanted) -> None:
    trace = opened("mooncake", MOONCAKE, wanted, scale=0.02)
    assert isinstance(trace, Made)
    elsewhere = pickle.loads(pickle.dumps(trace))
    assert trace.part(0, 60) == [*elsewhere.part(0, 7), *elsewhere.part(7, 8), *elsewhere.part(8, 60)]


def test_prompts_are_of_the_asked_length_for_the_tokenizer_with_its_chat_template() -> None:
    rows = rows_of(opened("azure", AZURE, Wanted(tokenizer="tests/data/tiny-add", limit=60)))
    assert [row.counted_tokens for row in rows] == [row.input_tokens for row in rows]


def test_a_trace_that_is_not_checked_has_the_same_prompts() -> None:
    wanted = Wanted(tokenizer="tests/data/tiny-add", limit=20)
    checked, unchecked = (rows_of(opened("azure", AZURE, wanted, check=check)) for check in (True, False))
    assert [row.prompt for row in checked] == [row.prompt for row in unchecked]
    assert {row.counted_tokens for row in unchecked} == {None}


def test_another_seed_gives_other_texts_of_the_same_lengths() -> None:
    one, two, three = (
        rows_of(opened("azure", AZURE, Wanted(seed=run, limit=1), seed=own))[0]
        for run, own in ((0, None), (1, None), (1, 0))
    )
    assert one.prompt == three.prompt != two.prompt
    assert len(words(one)) == len(words(two))


@pytest.mark.parametrize(
    ("settings", "lengths", "remark"),
    [
        ({"scale": 0.5}, [(300, 5), (700, 1)], None),
        ({"max_input_tokens": 1000}, [(600, 10), (1000, 2)], "were shortened"),
        ({"max_input_tokens": 1000, "longer": "drop"}, [(600, 10)], "1 of 2 requests .* were left out"),
        ({"max_output_tokens": 4}, [(600, 4), (1400, 2)], "were shortened"),
    ],
)
def test_lengths_are_scaled_and_cut_and_that_is_said(
    tmp_path: Path, settings: dict[str, Any], lengths: list[tuple[int, int]], remark: str | None
) -> None:
    path = written(tmp_path, [mooncake_row(600, 10, [1, 2]), mooncake_row(1400, 2, [1, 2, 3])])
    trace = opened("mooncake", path, **settings)
    assert [(len(words(row)), row.max_tokens) for row in rows_of(trace)] == lengths
    assert len(trace.remarks) == (remark is not None)
    assert remark is None or re.search(remark, trace.remarks[0])


def mooncake_row(tokens: int, answer: int, ids: list[int]) -> dict[str, Any]:
    return {"timestamp": 1, "input_length": tokens, "output_length": answer, "hash_ids": ids}


def test_scaled_blocks_are_still_shared(tmp_path: Path) -> None:
    path = written(tmp_path, [mooncake_row(1400, 1, [1, 2, 3]), mooncake_row(1400, 1, [1, 2, 4])])
    one, two = map(words, rows_of(opened("mooncake", path, scale=0.5)))
    assert one[:512] == two[:512]
    assert one[512:] != two[512:]


def test_texts_without_hashes_and_smaller_blocks_are_taken_too(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 1.5, "input_text": "Hello", "output_length": 3},
        {"timestamp": 2, "input_length": 7},
        {"timestamp": 3, "input_length": 20, "output_length": 3, "hash_ids": [4, 5], "type": "text"},
    ]
    found = rows_of(opened("mooncake", written(tmp_path, rows), block_tokens=16, timestamp_unit="s"))
    assert (found[0].prompt, found[0].input_tokens, found[0].timestamp_ns) == ("Hello", None, 1_500_000_000)
    assert (len(words(found[1])), found[1].max_tokens) == (7, None)
    assert len(words(found[2])) == 20


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"input_length": 1}, "timestamp is missing"),
        ({"timestamp": "soon", "input_length": 1}, "timestamp is 'soon', which is no time"),
        ({"timestamp": 1}, "has no input_length; .*it has timestamp"),
        ({"timestamp": 1, "input_length": -1}, "input_length is -1; it has to be"),
        ({"timestamp": 1, "input_length": 1.5}, "input_length is 1.5; it has to be"),
        ({"timestamp": 1, "input_length": True}, "input_length is True; it has to be"),
        ({"timestamp": 1, "input_length": 1e18}, "input_length is 1e.18; it has to be"),
        ({"timestamp": 1, "input_length": [1]}, "input_length is a JSON array; it has to be"),
        ({"timestamp": 1, "input_length": 1, "output_length": "x"}, "output_length is 'x'; it has to be"),
        ({"timestamp": 1, "input_length": 513, "hash_ids": [1]}, "hash_ids has 1 entries where .* takes 2 blocks"),
        ({"timestamp": 1, "input_length": 1, "hash_ids": 3}, "hash_ids is no list of whole numbers"),
        ({"timestamp": 1, "input_length": 1, "hash_ids": [-1]}, "hash_ids is no list of whole numbers"),
        ({"timestamp": 1, "input_text": ""}, "input_text is ''; it has to be text"),
        ({"timestamp": 1, "input_text": 5}, "input_text is 5; it has to be text"),
        ([], "a JSON array, not an object"),
    ],
)
def test_a_broken_row_of_mooncake_is_named(tmp_path: Path, row: Any, words: str) -> None:
    path = written(tmp_path, [mooncake_row(5, 1, [1]), row])
    with pytest.raises(UserError, match=rf"^{path}, line 2: {words}"):
        opened("mooncake", path)


@pytest.mark.parametrize(
    ("reader", "text", "words"),
    [
        ("azure", "TIMESTAMP,ContextTokens,GeneratedTokens\nx,1,1\n", "TIMESTAMP is 'x', which is no time"),
        ("azure", "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,a,1\n", "ContextTokens is 'a'"),
        (
            "azure",
            "TIMESTAMP,ContextTokens\n2023-11-16 18:15:46,1\n",
            "has no GeneratedTokens; .*it has TIMESTAMP, Con",
        ),
        ("burstgpt", "Timestamp,Request tokens,Response tokens\nnan,1,1\n", "Timestamp is 'nan', which is no time"),
        ("burstgpt", "Timestamp,Request tokens,Response tokens\n1,1,nan\n", "Response tokens is 'nan'"),
        ("burstgpt", "Timestamp,Request tokens\n1,1\n", "has no Response tokens"),
    ],
)
def test_a_broken_row_of_a_table_is_named(tmp_path: Path, reader: str, text: str, words: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"^{path}, line 2: {words}"):
        opened(reader, path)


def test_a_trace_of_which_nothing_is_left_says_why(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(BURST)
    with pytest.raises(UserError, match=r"none of 3 requests is left .3 of 3 requests are of other models"):
        opened("burstgpt", path, models=["Claude"])


def test_no_more_is_read_than_is_wanted(tmp_path: Path) -> None:
    path = written(tmp_path, [mooncake_row(5, 1, [1]), mooncake_row(5, 1, [1]), {"broken": 1}])
    assert len(opened("mooncake", path, Wanted(limit=2))) == 2


def test_the_whole_recordings_are_read(request: pytest.FixtureRequest) -> None:
    folder = request.config.rootpath.parent / "shared/data"
    files = ["mooncake/conversation_trace.jsonl", "mooncake/synthetic_trace.jsonl"]
    files += ["azure_llm_2023/AzureLLMInferenceTrace_conv.csv", "azure_llm_2023/AzureLLMInferenceTrace_code.csv"]
    if not all((folder / file).exists() for file in files):
        pytest.skip(f"the recordings are not all in {folder}")
    traces = [opened("mooncake" if "mooncake" in file else "azure", folder / file) for file in files]
    assert [len(trace) for trace in traces] == [12031, 3993, 19366, 8819]
    tokens = [int(trace.input_tokens.sum()) for trace in traces]
    assert tokens == [144_793_823, 61_194_628, 22_361_870, 18_059_974]
