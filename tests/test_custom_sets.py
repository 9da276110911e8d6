"""Data sets of one's own through `perfcore eval`: files without a preset, and the layouts of other tools."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload import registry
from perfcore.workload.natural import natural
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted
from tests.answering import Service, answering
from tests.endtoend import run_here


def put(path: Path, text: str | Sequence[Any]) -> Path:
    """A file with a text, or with JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text if isinstance(text, str) else "".join(json.dumps(line) + "\n" for line in text))
    return path


def rows(dataset: str, args: dict[str, Any] | None = None) -> list[Row]:
    found = registry.open_dataset(registry.resolved(dataset, None), args or {}, Wanted(), ())
    assert not isinstance(found, Made)
    return list(found)


def evaluated(dataset: str, reader: Any, out: Path, *more: object) -> tuple[dict[str, Any], str]:
    """The only result of an evaluation, and what was said."""
    with answering(Service(reader=reader)) as service:
        done = run_here("eval", "--url", service.url, "--no-check", "--dataset", dataset, "--out", out, *more)
    assert done.exit_code == 0, done.stderr
    (file,) = (out / "results/adder").glob("*.json")
    return json.loads(file.read_bytes()), done.stderr


def content(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


MCQ = 'question,A,B,C,answer\nWhich is red?,sky,blood,grass,B\nWhich are cold?,ice,fire,snow,"A,C"\nWhich?,x,y,,A\n'
QA = [
    {"question": "Capital of France?", "answer": "Paris"},
    {"question": "Capital of Italy?", "answer": ["Rome", "Roma"]},
]


def test_a_csv_of_multiple_choice_is_scored_by_its_letters(tmp_path: Path) -> None:
    answers = {"red": "ANSWER: B", "cold": "The answer is A and C.", "Which?": "I think it is y."}
    data = put(tmp_path / "quiz.csv", MCQ)

    def reader(body: dict[str, Any]) -> str:
        return next(answer for word, answer in answers.items() if word in content(body))

    result, said = evaluated(str(data), reader, tmp_path / "out")
    assert (result["evaluator"], round(result["measures"][0]["value"], 6)) == ("choice", round(2 / 3, 6))
    assert "3 answers by choice, as its rows are multiple choice (--evaluation evaluator=NAME takes another)" in said


def test_questions_with_answers_are_scored_by_the_normal_form_of_what_is_said(tmp_path: Path) -> None:
    data = put(tmp_path / "capitals.jsonl", QA)

    def reader(body: dict[str, Any]) -> str:
        return "The answer is: **paris**." if "France" in content(body) else "Milan"

    result, said = evaluated(str(data), reader, tmp_path / "out")
    assert (result["evaluator"], result["measures"][0]["value"]) == ("exact", 0.5)
    assert "by exact, as its rows have an answer each" in said


def test_an_evaluator_that_is_named_goes_before_that_of_the_rows(tmp_path: Path) -> None:
    data = put(tmp_path / "quiz.csv", MCQ)
    more = ("--evaluation", "evaluator=contains", "--evaluation", "args.both=true")
    result, said = evaluated(str(data), lambda body: "B", tmp_path / "out", *more)
    assert result["evaluator"] == "contains"
    assert "as its rows" not in said


def test_one_setting_of_the_evaluator_of_the_rows_can_be_changed(tmp_path: Path) -> None:
    data = put(tmp_path / "capitals.jsonl", QA)
    result, _ = evaluated(
        str(data), lambda body: "Paris\nRome", tmp_path / "out", "--evaluation", "args.take=first_line"
    )
    assert (result["evaluator"], result["measures"][0]["value"]) == ("exact", 0.5)


@pytest.mark.parametrize(
    ("name", "text", "evaluator"),
    [
        ("x.csv", "question,A,B,answer\nQ,x,y,A\n", "choice"),
        ("x.csv", "question,A,B\nQ,x,y\n", ""),  # nothing says what is right
        ("x.csv", "question,answer\nQ,x\n", "exact"),
        ("x.jsonl", '{"prompt": "Q", "reference": 5}\n', "exact"),
        ("x.jsonl", '{"prompt": "Q"}\n', ""),
        ("x.jsonl", '{"messages": [{"role": "user", "content": "Q"}], "answer": "x"}\n', "exact"),
        ("x.jsonl", '{"query": "Q", "response": "x"}\n', "rouge"),
        ("x.jsonl", '{"type": "image", "path": ["a.png"], "question": "Q", "answer": "x"}\n', "exact"),
        ("x.txt", "a prompt\n", ""),
    ],
)
def test_a_file_is_scored_by_what_its_rows_hold(name: str, text: str, evaluator: str, tmp_path: Path) -> None:
    found = registry.resolved(str(put(tmp_path / name, text)), None)
    assert natural(found, {}).evaluation.get("evaluator", "") == evaluator


def test_the_kind_that_is_given_for_custom_questions_decides(tmp_path: Path) -> None:
    found = registry.resolved(f"custom:{put(tmp_path / 'x.csv', MCQ)}", None)
    assert natural(found, {}).evaluation["evaluator"] == "choice"
    assert natural(found, {"kind": "qa"}).evaluation["evaluator"] == "exact"
    several = {"custom": {"kind": "qa"}, "gsm8k": {"count": 3}}
    assert natural(found, several).evaluation["evaluator"] == "exact"
    assert natural(registry.resolved("custom", None), {}).evaluation == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "Q,x,y,D",
            "line 3: answer is 'D'; it has to be among the letters A, B, unless check_answers=false; a right row is {",
        ),
        ("Q,x,,A", 'line 3: has 1 options; .* a right row is {.*"answer": "B"}'),
        (",x,y,A", "line 3: has no question; .* a right row is {"),
    ],
)
def test_a_faulty_row_of_multiple_choice_names_its_line_and_shows_a_right_one(
    line: str, words: str, tmp_path: Path
) -> None:
    data = put(tmp_path / "quiz.csv", f"question,A,B,answer\nQ,x,y,B\n{line}\n")
    with pytest.raises(UserError, match=r"quiz\.csv, " + words):
        rows(f"custom_mcq_gen:{data}")


@pytest.mark.parametrize("answer", ["B", "b", "A, C", "AC", "(B)", "blue", ["A", "B"], "A and B", None])
def test_an_answer_may_be_a_letter_or_several_or_the_text_of_a_choice(answer: Any, tmp_path: Path) -> None:
    line = {"question": "Q", "A": "red", "B": "blue", "C": "gray", "answer": answer}
    assert len(rows(f"custom_mcq_gen:{put(tmp_path / 'x.jsonl', [line])}")) == 1


def test_answers_are_not_looked_at_where_only_speed_counts(tmp_path: Path) -> None:
    line = {"question": "Q", "A": "red", "B": "blue", "answer": 1}
    data = put(tmp_path / "x.jsonl", [line])
    with pytest.raises(UserError, match="answer is 1; it has to be among"):
        rows(f"custom_mcq_gen:{data}")
    assert rows(f"custom_mcq_gen:{data}", {"check_answers": False})[0].reference == 1


def test_general_mcq_is_read_by_subset_with_its_examples(tmp_path: Path) -> None:
    names = "id,question,A,B,C,D,answer,explanation\n"
    put(tmp_path / "mcq/art_val.csv", f"{names}1,How many?,4,22,20,,C,twenty\n")
    put(tmp_path / "mcq/art_dev.csv", f"{names}1,Example?,1,2,3,4,D,\n2,Other?,1,2,,,A,\n")
    row = rows(f"general_mcq:{tmp_path / 'mcq'}")[0]
    assert str(row.prompt).startswith("How many?\nA. 4\nB. 22\nC. 20\nClose")
    assert (row.subset, row.reference, row.meta["explanation"]) == ("art", "C", "twenty")
    few = rows(f"general_mcq_few_shot:{tmp_path / 'mcq'}", {"examples": {"count": 2}})[0]
    shots = "Example?\nA. 1\nB. 2\nC. 3\nD. 4\nANSWER: D\n\nOther?\nA. 1\nB. 2\nANSWER: A\n\n"
    assert str(few.prompt).strip() == f"{shots}How many?\nA. 4\nB. 22\nC. 20\nANSWER:"


def test_general_mcq_with_several_right_letters_wants_all_of_them(tmp_path: Path) -> None:
    lines = [{"question": f"Q{n}", "A": "x", "B": "y", "C": "z", "answer": ["A", "C"]} for n in range(2)]
    put(tmp_path / "mcq/own_val.jsonl", lines)
    reader = lambda body: "ANSWER: A, C" if "Q0" in content(body) else "ANSWER: A"  # noqa: E731
    result, _ = evaluated(f"general_mcq:{tmp_path / 'mcq'}", reader, tmp_path / "out")
    assert result["measures"][0]["value"] == 0.5


def test_general_qa_takes_queries_systems_and_messages(tmp_path: Path) -> None:
    lines = [
        {"query": "Why?", "response": "Because."},
        {"system": "Be brief.", "query": "Why?"},
        {"messages": [{"role": "user", "content": "Why?"}], "response": "So."},
    ]
    plain, with_system, chat = rows(f"general_qa:{put(tmp_path / 'qa.jsonl', lines)}")
    assert (plain.prompt, plain.reference) == ("Why?", "Because.")
    assert with_system.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert (with_system.reference, chat.reference) == (None, "So.")
    assert chat.messages == [{"role": "user", "content": "Why?"}]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"response": "x"}, "has no messages or query or question"),
        ({"query": 3, "response": "x"}, "query is a JSON number"),
        ({"messages": [], "query": " "}, "messages is empty"),
    ],
)
def test_a_faulty_row_of_general_qa_names_its_line_and_shows_a_right_one(
    line: dict[str, Any], words: str, tmp_path: Path
) -> None:
    data = put(tmp_path / "qa.jsonl", [{"query": "Q", "response": "x"}, line])
    with pytest.raises(UserError, match=rf"qa\.jsonl, line 2: {words}.*; a right row is {{"):
        rows(f"general_qa:{data}")


def test_general_qa_is_scored_by_rouge(tmp_path: Path) -> None:
    data = put(tmp_path / "qa.jsonl", [{"query": "Why?", "response": "because it rains"}])
    result, _ = evaluated(f"general_qa:{data}", lambda body: "because it rains", tmp_path / "out")
    assert (result["evaluator"], result["measures"][0]["value"]) == ("rouge", 1.0)


PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize("ending", ["jsonl", "tsv"])
def test_general_vmcq_puts_pictures_where_question_and_choices_name_them(ending: str, tmp_path: Path) -> None:
    line = {"question": "Which is <image 1>?", "options": ["a cat", "<image 2>"], "image_1": "a.png", "image_2": PIXEL}
    cells = [line["question"], '"[""a cat"", ""<image 2>""]"', "a.png", PIXEL, "B"]
    text = "\t".join(["question", "options", "image_1", "image_2", "answer"]) + "\n" + "\t".join(map(str, cells)) + "\n"
    data = put(tmp_path / f"own.{ending}", [{**line, "answer": "B"}] if ending == "jsonl" else text)
    row = rows(f"general_vmcq:{data}")[0]
    assert row.messages is not None
    parts = [part.get("text") or part["image_url"]["url"] for part in row.messages[0]["content"]]
    assert parts[:4] == ["Which is ", str(tmp_path / "a.png"), "?\nA. a cat\nB. ", PIXEL]
    assert (row.reference, row.meta) == ("B", {"question": line["question"], "options": line["options"]})


@pytest.mark.parametrize("ending", ["jsonl", "tsv"])
def test_general_vqa_sends_messages_as_they_stand(ending: str, tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "a.png"}}
    asked = [{"role": "user", "content": [{"type": "text", "text": "What?"}, image]}]
    quoted = json.dumps(asked).replace('"', '""')
    text = f'messages\tanswer\n"{quoted}"\tDog\n'
    data = put(tmp_path / f"own.{ending}", [{"messages": asked, "answer": "Dog"}] if ending == "jsonl" else text)
    row = rows(f"general_vqa:{data}")[0]
    assert row.messages is not None
    assert row.messages[0]["content"][1]["image_url"]["url"] == str(tmp_path / "a.png")
    assert row.reference == "Dog"
