"""Tokens that no server reported are counted from the texts when the run is over."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from perfcore.commands.counting import counter_of
from perfcore.records import counting, store
from perfcore.records.counting import Counter
from perfcore.records.journal import JournalWriter, Kind
from perfcore.types import TOKEN_SOURCES, Run
from tests.reference.frame import Event, pack

TOKENIZER = Path(__file__).parent / "data" / "tiny-add"
WORDS = Counter(texts=lambda texts: [len(text.split()) for text in texts], prompts=lambda asked: [len(asked[0])])


def built(folder: Path, *frames: bytes, rows: Any, counter: Counter | None = WORDS, notes: Any = ()) -> Run:
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    for note in notes:
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    return store.build(folder, counter=counter)


def answer(**fields: Any) -> bytes:
    """One answer of a stream of two events that says two words after three of reasoning."""
    given = {"content": b"two words", "reasoning": b"it is three ", "http_status": 200, "streamed": 1} | fields
    return pack([Event(1), Event(2)], sent_ns=0, end_ns=3, **given)


def source(code: int) -> str:
    return TOKEN_SOURCES[code] if code >= 0 else "none"


def test_answer_without_usage_is_counted(tmp_path: Path) -> None:
    run = built(tmp_path, answer(), rows=[{"id": "a", "prompt": "hello"}])
    assert (run.requests.output_tokens[0], source(run.requests.token_source[0])) == (5, "tokenizer")
    assert (run.requests.input_tokens[0], source(run.requests.input_token_source[0])) == (5, "tokenizer")
    assert (run.counted.answers, run.counted.prompts) == (1, 1)


def test_what_the_server_counted_stands(tmp_path: Path) -> None:
    run = built(tmp_path, answer(output_tokens=9, input_tokens=7), rows=[{"id": "a", "prompt": "hello"}])
    assert (run.requests.output_tokens[0], source(run.requests.token_source[0])) == (9, "server")
    assert (run.requests.input_tokens[0], source(run.requests.input_token_source[0])) == (7, "server")
    assert (run.counted.answers, run.counted.prompts) == (0, 0)


def test_without_a_tokenizer_tokens_stay_estimates(tmp_path: Path) -> None:
    run = built(tmp_path, answer(), rows=[{"id": "a", "prompt": "hello"}], counter=None)
    assert source(run.requests.token_source[0]) == "events"
    assert (run.requests.input_tokens[0], source(run.requests.input_token_source[0])) == (-1, "none")


def test_length_that_was_counted_before_the_run_is_taken(tmp_path: Path) -> None:
    run = built(tmp_path, answer(), rows=[{"id": "a", "prompt": "hello", "counted_tokens": 31}], counter=None)
    assert (run.requests.input_tokens[0], source(run.requests.input_token_source[0])) == (31, "tokenizer")


def test_what_cannot_be_counted_stays_unknown(tmp_path: Path) -> None:
    none = Counter(texts=lambda texts: [-1] * len(texts), prompts=lambda asked: [-1] * len(asked))
    run = built(tmp_path, answer(), rows=[{"id": "a", "prompt": "hello"}], counter=none)
    assert (source(run.requests.token_source[0]), run.requests.input_tokens[0]) == ("events", -1)


def test_answers_are_counted_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BATCH_CHARS", 50)
    sizes: list[int] = []

    def count(texts: list[str]) -> list[int]:
        sizes.append(len(texts))
        return [1] * len(texts)

    frames = [answer(request_id=number, sequence=number, input_tokens=1) for number in range(10)]
    built(tmp_path, *frames, rows=[{"id": "a", "prompt": "x"}], counter=Counter(count, count))
    assert (sum(sizes), max(sizes)) == (10, 3)  # 21 characters each, and those that pass 50 go together


def test_sources_stand_in_requests_parquet(tmp_path: Path) -> None:
    built(tmp_path, answer(output_tokens=9), rows=[{"id": "a", "prompt": "hello", "input_tokens": 4}])
    (row,) = pq.read_table(tmp_path / "requests.parquet").to_pylist()
    assert (row["token_source"], row["input_token_source"], row["input_tokens"]) == ("server", "tokenizer", 5)
    assert (row["input_tokens_asked"], row["input_tokens_counted"], row["output_tokens_asked"]) == (4, 5, None)


@pytest.mark.parametrize(
    ("row", "limits", "asked"),
    [
        ({"prompt": "x", "max_tokens": 5}, {}, 5),
        ({"prompt": "x", "max_tokens": 5}, {"max_tokens": 7}, 7),
        ({"prompt": "x"}, {"max_tokens_otherwise": 9}, 9),
        ({"prompt": "x"}, {}, -1),
        ({"body": {"prompt": "x"}, "max_tokens": 5}, {"max_tokens": 7}, 5),
        ({"turns": [{"role": "user", "content": "x", "max_tokens": 3}], "max_tokens": 5}, {}, 3),
    ],
)
def test_limit_of_an_answer_is_the_one_that_was_sent(tmp_path: Path, row: Any, limits: Any, asked: int) -> None:
    run = built(tmp_path, answer(), rows=[{"id": "a", **row}], notes=[{"note": "preparation", **limits}])
    assert run.requests.output_tokens_asked[0] == asked


def test_prompts_of_conversations_are_not_guessed(tmp_path: Path) -> None:
    run = built(tmp_path, answer(), rows=[{"id": "a", "turns": [{"role": "user", "content": "x"}]}])
    assert run.requests.input_tokens[0] == -1


def test_tokenizer_of_the_run_counts_prompts_as_the_service_gets_them() -> None:
    chat = counter_of({"tokenizer": str(TOKENIZER), "dialect": "openai-chat"})
    plain = counter_of({"tokenizer": str(TOKENIZER), "dialect": "openai-completions"})
    assert chat is not None and plain is not None
    messages = [{"role": "user", "content": "1 + 2 ="}]
    (text, same, ids, picture) = chat.prompts(["1 + 2 =", messages, [1, 2, 3], [{"role": "user", "content": []}]])
    assert (text == same, ids, picture) == (True, 3, -1)
    assert text > plain.prompts(["1 + 2 ="])[0] >= plain.texts(["1 + 2 ="])[0] > 0


@pytest.mark.parametrize("options", [{}, {"tokenizer": None}, {"tokenizer": "server", "dialect": "openai-chat"}])
def test_run_without_a_tokenizer_counts_nothing(options: Any) -> None:
    assert counter_of(options) is None


def test_tokenizer_that_is_gone_is_told_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = counter_of({"tokenizer": str(tmp_path / "gone"), "dialect": "openai-chat"})
    assert gone is not None
    assert [gone.texts(["a", "b"]), gone.texts(["c"])] == [[-1, -1], [-1]]
    assert capsys.readouterr().err.count("are not counted: the tokenizer") == 1
