"""Perplexity mode: a request for each choice, the log probabilities of its prompt in outputs.jsonl, and the score."""

import http.server
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evaluators import ppl
from evaluators.errors import EvaluationError
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import evaluation_of, settings_of
from perfcore.errors import UserError
from perfcore.records.assembly import assemble
from perfcore.records.prompt_logprobs import PromptLogprobs
from perfcore.workload import catalogue, registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted
from tests.endtoend import measure, run_here
from tests.loopback import serving


class Asked(Sample, frozen=True, kw_only=True):
    """A line as the evaluator gets it."""

    prompt_logprobs: Any = None


# ---- rows


def written(path: Path, *lines: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def rows(file: Path, chat: bool = False, **args: Any) -> list[Row]:
    found = registry.resolved(f"table:{file}", None)
    there = registry.open_dataset(found, args, Wanted(chat=chat), ())
    assert not isinstance(there, Made)
    return list(there)


CAT = {"id": 17, "question": "Who purrs?", "one": "cat", "two": "dog", "answer": "A", "choice": "own"}
LABELS = {"of": {"A": "{one}", "B": "{two}"}}


def test_each_choice_of_a_record_becomes_a_row(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", CAT)
    first, second = rows(file, id="id", reference="answer", prompt="{question} {choice}", labels=LABELS)
    assert (first.id, second.id, first.reference) == ("17#A", "17#B", "A")
    one = {"min_tokens": 1, "skip_special_tokens": False, "prompt_logprobs": 0}
    assert first.body == {"prompt": "Who purrs? cat", "max_tokens": 1, "temperature": 0, "logprobs": 1} | one
    assert second.meta == {
        **{key: CAT[key] for key in ("question", "one", "two")},
        "item": "17",
        "label": "B",
        "labels": ["A", "B"],
    }


def test_a_chat_goes_on_in_the_message_of_the_assistant(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", CAT)
    messages = [{"role": "user", "content": "{question}"}, {"role": "assistant", "content": "{choice_label}"}]
    (first, _) = rows(file, chat=True, messages=messages, labels=LABELS, meta=[])
    assert first.body is not None
    assert first.body["messages"][-1] == {"role": "assistant", "content": "A"}
    assert first.body["continue_final_message"] and first.body["prompt_logprobs"] == 0
    alone = rows(file, chat=True, prompt="{question} {choice}", labels=LABELS)[0].body
    assert alone is not None and not alone["continue_final_message"]


@pytest.mark.parametrize(
    ("ask", "body"),
    [
        ("echo", {"prompt": "cat", "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": True}),
        (
            "sglang",
            {
                "text": "cat",
                "sampling_params": {"max_new_tokens": 1, "min_new_tokens": 1, "temperature": 0},
                "return_logprob": True,
                "logprob_start_len": 0,
            },
        ),
    ],
)
def test_other_services_are_asked_in_their_own_words(tmp_path: Path, ask: str, body: dict[str, Any]) -> None:
    file = written(tmp_path / "a.jsonl", CAT)
    assert rows(file, prompt="{choice}", labels=LABELS | {"ask": ask})[0].body == body
    with pytest.raises(UserError, match=f"labels.ask is {ask}, which chat services do not understand"):
        rows(file, chat=True, prompt="{choice}", labels=LABELS | {"ask": ask})


@pytest.mark.parametrize(
    ("choices", "ids"),
    [
        (["x", "y", "z"], "A B C"),
        ({"label": ["1", "2"], "text": ["x", "y"]}, "1 2"),
        ([{"label": "P", "text": "x"}, {"label": "Q", "text": "y"}], "P Q"),
        ({"a": "x", "b": "y"}, "a b"),
        ([str(number) for number in range(30)], " ".join(map(str, range(1, 31)))),
    ],
)
def test_choices_may_be_listed_in_a_column(tmp_path: Path, choices: Any, ids: str) -> None:
    file = written(tmp_path / "a.jsonl", {"in": {"list": choices}})
    found = rows(file, prompt="say {choice}", labels={"column": "in.list"})
    assert [row.id for row in found] == [f"1#{label}" for label in ids.split()]
    assert found[0].body is not None and found[0].body["prompt"] == f"say {'0' if '30' in ids else 'x'}"


def test_a_choice_may_go_into_a_gap_of_a_column(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", {"text": "The _ is full.", "one": "jug", "two": "cup"})
    labels = LABELS | {"gaps": {"text": "_"}}
    found = rows(file, prompt="{text}", labels=labels, meta=["text"])
    assert [(row.body or {})["prompt"] for row in found] == ["The jug is full.", "The cup is full."]
    assert found[0].meta["text"] == "The _ is full."


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"labels": {}}, "args.labels wants of or column"),
        ({"labels": {"of": {"A": "a"}, "column": "b"}}, "args.labels wants of or column"),
        ({"labels": {"of": {"A": "a"}}}, "a.jsonl, line 1: gives 1 choices"),
        ({"labels": {"column": "question"}}, "wants a list of choices"),
        ({"labels": {"column": "questions"}}, "nearest one is 'question'"),
        ({"labels": {"of": {"A": "{on}", "B": "b"}}}, "nearest one is 'one'"),
        ({"labels": LABELS | {"gaps": {"question": "_"}}}, "question has no '_'"),
        ({"labels": LABELS | {"ask": "nicely"}}, "nicely"),
        ({"labels": LABELS, "images": ["one"]}, "text only"),
    ],
)
def test_choices_that_cannot_be_asked_for_are_refused_with_their_place(
    tmp_path: Path, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        rows(written(tmp_path / "a.jsonl", CAT), prompt="{choice}", **args)


def test_a_column_may_be_in_a_file_beside_the_rows(tmp_path: Path) -> None:
    file = written(tmp_path / "dev.jsonl", {"q": "a"}, {"q": "b"})
    args: dict[str, Any] = {"prompt": "{q}", "beside": {"label": "labels.lst"}, "reference": "{label:letter}"}
    with pytest.raises(UserError, match=r"labels.lst is not there, which has the column label"):
        rows(file, **args)
    (tmp_path / "labels.lst").write_text("1\n0\n")
    assert [row.reference for row in rows(file, **args)] == ["B", "A"]
    (tmp_path / "labels.lst").write_text("1\n")
    with pytest.raises(UserError, match=r"line 2: has no label, as the file of that column has 1 lines"):
        rows(file, **args)


# ---- what services answer

MAPS: list[Any] = [
    None,
    {"5": {"logprob": -1.5, "rank": 2, "decoded_token": "a"}},
    {"7": {"logprob": -0.25}, "9": {"logprob": 0}},
]
FORMS: list[tuple[Any, Any]] = [
    ({"choices": [{"text": "x", "prompt_logprobs": MAPS}]}, [None, 5, 7]),
    (
        {"choices": [{"text": "x", "prompt_logprobs": [MAPS[0], MAPS[1], dict(reversed(MAPS[2].items()))]}]}
        | {"prompt_token_ids": [3, 5, 7]},
        None,
    ),
    (
        {
            "object": "chat.completion",
            "choices": [{"message": {"content": "x"}}],
            "prompt_logprobs": MAPS,
            "prompt_token_ids": [3, 5, 7],
        },
        [3, 5, 7],
    ),
    (
        {
            "choices": [
                {"text": "x", "logprobs": {"tokens": ["q", "a", "b", "x"], "token_logprobs": [None, -1.5, -0.25, 0]}}
            ]
        },
        ["q", "a", "b"],
    ),
    (
        {"choices": [{"text": "", "logprobs": {"tokens": ["q", "a", "b"], "token_logprobs": [None, -1.5, -0.25]}}]}
        | {"usage": {"prompt_tokens": 3, "completion_tokens": 0}},
        ["q", "a", "b"],
    ),
    (
        {"text": "x", "meta_info": {"input_token_logprobs": [[None, 3, None], [-1.5, 5, None], [-0.25, 7, None]]}},
        [3, 5, 7],
    ),
]


@pytest.mark.parametrize(("answer", "tokens"), [form for form in FORMS if form[1]])
def test_log_probabilities_of_the_prompt_are_found_in_each_form(answer: Any, tokens: list[Any]) -> None:
    (choice,) = assemble(json.dumps(answer).encode())
    assert choice.prompt_logprobs == PromptLogprobs([None, -1.5, -0.25], tokens)


def test_of_several_tokens_at_a_place_the_prompt_s_own_counts() -> None:
    maps = [None, {"4": {"logprob": -0.1}, "5": {"logprob": -1.5}}]
    answer = {"choices": [{"text": "x", "prompt_logprobs": maps, "prompt_token_ids": [3, 5]}]}
    (choice,) = assemble(json.dumps(answer).encode())
    assert choice.prompt_logprobs == PromptLogprobs([None, -1.5], [3, 5])


@pytest.mark.parametrize(
    "choice",
    [
        {"text": "x"},
        {"text": "x", "prompt_logprobs": None},
        {"text": "x", "prompt_logprobs": "no"},
        {"text": "x", "logprobs": {"tokens": ["x"], "token_logprobs": [-0.5]}},
        {"text": "xy", "logprobs": {"tokens": ["x", "y"], "token_logprobs": [-0.5, -0.1]}},
        {"text": "x", "logprobs": {"token_logprobs": None}},
        {"text": "x", "logprobs": []},
    ],
)
def test_other_answers_have_none(choice: dict[str, Any]) -> None:
    (found,) = assemble(json.dumps({"choices": [choice]}).encode())
    assert found.prompt_logprobs is None


def test_broken_log_probabilities_bring_nothing_down() -> None:
    maps = [None, {}, 5, {"a": "b"}, {"5": {"logprob": "x"}}, {"6": -1}]
    (found,) = assemble(json.dumps({"choices": [{"text": "x", "prompt_logprobs": maps}]}).encode())
    assert found.prompt_logprobs == PromptLogprobs([None, None, None, None, None, -1.0], [None, None, None, "a", 5, 6])


# ---- scores


def line(label: str, text: str, logprobs: Sequence[float | None], item: str = "17", **fields: Any) -> Asked:
    """A line of a choice; its tokens are the words of the text."""
    meta = {"item": item, "label": label, "labels": fields.pop("labels", ["A", "B"])}
    told = {"logprobs": list(logprobs), "tokens": text.split()} if logprobs else None
    given = {"reference": "A", "prompt": {"prompt": text}, "prompt_logprobs": told} | fields
    return Asked(id=f"{item}#{label}", meta=meta, **given)


def scored(lines: Sequence[Sample], **settings: Any) -> tuple[Sample, Verdict]:
    (found,) = ppl.items(lines, ppl.Settings(**settings))
    assert isinstance(found[1], Verdict), found[1]
    return found[0], found[1]


# The shared prefix is likelier before B, as services round in batches; the choice A is longer, and each token likelier.
PAIR = [line("A", "who purrs the cat", [None, -9.0, -1.0, -1.0]), line("B", "who purrs dogs", [None, -2.0, -1.5])]


@pytest.mark.parametrize(
    ("settings", "values", "best"),
    [
        ({}, {"A": 1.0, "B": 1.5}, "A"),
        ({"normalize": "sum"}, {"A": 2.0, "B": 1.5}, "B"),
        ({"normalize": "byte"}, {"A": 2 / 7, "B": 1.5 / 4}, "A"),
        ({"scope": "whole"}, {"A": 11 / 3, "B": 3.5 / 2}, "B"),
        ({"scope": "whole", "normalize": "byte"}, {"A": 11 / 17, "B": 3.5 / 14}, "B"),
    ],
)
def test_the_choice_that_costs_least_is_the_prediction(
    settings: dict[str, Any], values: dict[str, float], best: str
) -> None:
    sample, verdict = scored(PAIR, **settings)
    assert sample.meta["negative_log_likelihoods"] == pytest.approx(values)
    assert (verdict.extracted, verdict.score) == (best, float(best == "A"))
    assert (sample.id, sample.prediction) == ("17", best)


def test_parts_have_bits_per_byte_and_the_margin() -> None:
    parts = scored(PAIR)[1].parts
    assert parts["bits_per_byte"] == pytest.approx(2 / math.log(2) / 7)
    assert parts["bits_per_byte_wrong"] == pytest.approx(1.5 / math.log(2) / 4)
    assert parts["margin"] == pytest.approx(0.5)


def test_a_choice_that_another_one_begins_with_keeps_a_token_of_its_own() -> None:
    lines = [line("A", "is it yes", [None, -1, -2]), line("B", "is it yes sir", [None, -1, -2, -4])]
    assert scored(lines)[0].meta["negative_log_likelihoods"] == {"A": 2.0, "B": 3.0}


def test_of_a_tie_the_first_label_wins_and_the_verdict_says_so() -> None:
    _, verdict = scored([line("B", "x b", [None, -1.0]), line("A", "x a", [None, -1.0])])
    assert verdict.extracted == "A" and "a tie" in verdict.why


@pytest.mark.parametrize(
    ("reference", "score"),
    [("A", 1.0), (["B", "A"], 1.0), ([1, 0], 1.0), ([0, 1], 0.0), ("B", 0.0)],
)
def test_a_reference_is_a_label_or_several_or_a_mark_for_each(reference: Any, score: float) -> None:
    lines = [msgspec.structs.replace(one, reference=reference) for one in PAIR]
    assert scored(lines)[1].score == score


def test_the_mass_is_the_share_of_probability_of_the_right_choices() -> None:
    labels = ["A", "B", "C"]
    chances = zip(labels, (0.5, 0.3, 0.2), strict=True)
    lines = [line(x, f"q {x}", [None, math.log(p)], labels=labels, reference=[1, 0, 1]) for x, p in chances]
    assert scored(lines, normalize="sum", measure="mass")[1].score == pytest.approx(0.7)


def test_questions_are_kept_apart_by_subset_repeat_and_place() -> None:
    lines = [
        msgspec.structs.replace(one, subset=subset, repeat=repeat)
        for subset in ("law", "art")
        for repeat in (0, 1)
        for one in PAIR
    ]
    found = ppl.items([*lines, *lines], ppl.Settings())
    assert len(found) == 8 and all(isinstance(verdict, Verdict) for _, verdict in found)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (PAIR[:1], "no answer for B of A, B"),
        ([PAIR[0], line("B", "x", [], error="timeout: no answer in 9 s")], "B: timeout: no answer in 9 s"),
        ([PAIR[0], line("B", "x", [])], "B: the service gave no log probabilities of its prompt; ask with --no-stream"),
        ([PAIR[0], line("B", "who purrs dogs", [None, -2.0, None])], "B: the service left out log probabilities"),
        ([PAIR[0], line("B", "who purrs dogs", [None, -2.0, math.nan])], "B: a log probability of its prompt is no"),
        ([msgspec.structs.replace(one, reference="E") for one in PAIR], "the reference 'E' is none of the labels A, B"),
        ([msgspec.structs.replace(one, reference=None) for one in PAIR], "the reference None is none of"),
        (
            [PAIR[0], line("B", "x y", [], prompt_logprobs={"logprobs": [None, -1], "tokens": [None, None]})],
            "scope = 'whole'",
        ),
    ],
)
def test_a_question_without_all_its_choices_is_an_error_that_says_which(lines: list[Sample], words: str) -> None:
    ((sample, error),) = ppl.items(lines, ppl.Settings())
    assert isinstance(error, str) and words in error
    assert sample.id == "17"


def test_an_answer_that_failed_but_has_its_log_probabilities_counts() -> None:
    assert scored([PAIR[0], msgspec.structs.replace(PAIR[1], error="empty_answer")])[1].score == 1.0


def test_a_line_of_another_kind_of_data_set_is_refused() -> None:
    with pytest.raises(EvaluationError, match="the line '1' has no 'item' in its meta"):
        ppl.items([Asked(id="1")], ppl.Settings())
    with pytest.raises(EvaluationError, match="all of them are scored together"):
        evaluator("ppl").score("", Asked(id="1"), ppl.Settings())


def golden(references: Sequence[str]) -> list[Asked]:
    """Lines of a model that finds the right choices likeliest."""
    return [
        line(x, f"q{n} {x}", [None, -0.1 if x == right else -2.0], item=str(n), labels=list("ABCD"), reference=right)
        for n, right in enumerate(references)
        for x in "ABCD"
    ]


def test_references_as_predictions_score_all_and_shuffled_ones_chance() -> None:
    rng = random.Random(0)
    references = [rng.choice("ABCD") for _ in range(4000)]
    lines = golden(references)
    right = ppl.items(lines, ppl.Settings())
    assert all(isinstance(verdict, Verdict) and verdict.score == 1.0 for _, verdict in right)
    rng.shuffle(references)
    mixed = [msgspec.structs.replace(one, reference=references[int(one.meta["item"])]) for one in lines]
    scores = [verdict.score for _, verdict in ppl.items(mixed, ppl.Settings()) if isinstance(verdict, Verdict)]
    assert sum(scores) / 4000 == pytest.approx(0.25, abs=0.03)


# ---- a whole run

LIKELY = {"cat": -0.5, "dog": -3.0, "barks": -0.75, "purrs": -2.5}


class Server(http.server.BaseHTTPRequestHandler):
    """Answers as vLLM does: tokens are words, those in LIKELY have their log probability, the others -1."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["max_tokens"] < 1 or asked.get("stream"):
            self.answer(400, {"error": {"message": "not so"}})
            return
        text = asked["prompt"] if "prompt" in asked else " ".join(one["content"] for one in asked["messages"])
        words = text.split()
        values = [None, *(LIKELY.get(word, -1.0) for word in words[1:])]
        maps = [
            None if value is None else {str(sum(map(ord, word))): {"logprob": value, "decoded_token": word}}
            for word, value in zip(words, values, strict=True)
        ]
        echo = {"tokens": [*words, "x"], "token_logprobs": [*values, -0.1]} if asked.get("echo") else None
        maps = maps if asked.get("prompt_logprobs") == 0 else []
        choice: dict[str, Any] = {"index": 0, "finish_reason": "length", "logprobs": echo}
        usage = {"prompt_tokens": len(words), "completion_tokens": 1}
        if "prompt" in asked:
            choice |= {"text": "x", "prompt_logprobs": maps or None}
            self.answer(200, {"object": "text_completion", "choices": [choice], "usage": usage})
        else:
            choice |= {"message": {"role": "assistant", "content": "x"}}
            whole = {"object": "chat.completion", "choices": [choice], "usage": usage, "prompt_logprobs": maps}
            self.answer(200, whole)

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


PRESET = """
reader = "table"
about = "Animals."
kind = "accuracy"
folder = "animals"
files = ["test.jsonl"]
[args]
prompt = "{question} {choice}"
reference = "answer"
labels = { of = { A = "{one}", B = "{two}" } }
[evaluation]
evaluator = "ppl"
[variants.animals_echo]
args.labels.ask = "echo"
[variants.animals_chat]
[variants.animals_chat.args]
prompt = ""
messages = [{ role = "user", content = "{question}" }, { role = "assistant", content = "{choice}" }]
"""


@pytest.mark.parametrize(
    ("name", "dialect"),
    [("animals", "openai-completions"), ("animals_echo", "openai-completions"), ("animals_chat", "openai-chat")],
)
def test_a_run_over_a_preset_leaves_lines_that_can_be_scored(tmp_path: Path, name: str, dialect: str) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/animals.toml").write_text(PRESET)
    written(
        tmp_path / "animals/test.jsonl",
        {"question": "what purrs ? the", "one": "cat", "two": "dog", "answer": "A"},
        {"question": "what does a dog do ? it", "one": "barks", "two": "purrs all day", "answer": "A"},
        {"question": "who purrs ? my", "one": "dog", "two": "big cat", "answer": "A"},
    )
    with serving(Server) as url:
        where = {"config_dir": tmp_path, "data_dir": tmp_path, "dataset": (name,), "dialect": dialect}
        run = measure(tmp_path / "run", url, stream=False, model="m", requests=6, concurrency=2, **where)
    lines = (run.folder / "outputs.jsonl").read_bytes().splitlines()
    samples = msgspec.json.decode(b"[" + b",".join(lines) + b"]", type=list[Asked])
    preset = catalogue.read_preset(catalogue.names(tmp_path)[name])
    chosen = evaluation_of(preset.evaluation, name)
    joint = evaluator(chosen.evaluator).joint
    assert joint is not None
    found = {sample.id: verdict for sample, verdict in joint(samples, settings_of(chosen.args, ppl.Settings, name))}
    assert [found[item].extracted for item in "123"] == ["A", "A", "B"]  # type: ignore[union-attr]
    assert [found[item].score for item in "123"] == [1.0, 1.0, 0.0]  # type: ignore[union-attr]


def test_so_many_questions_are_asked_with_all_their_choices(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/animals.toml").write_text(PRESET)
    row = {"question": "what purrs ? the", "one": "cat", "two": "dog", "answer": "A"}
    written(tmp_path / "animals/test.jsonl", *[row] * 5)
    where = (
        "--config-dir",
        tmp_path,
        "--data-dir",
        tmp_path,
        "--dataset",
        "animals",
        "--dialect",
        "openai-completions",
    )
    with serving(Server) as url:
        more = (
            "--url",
            url,
            "--model",
            "m",
            "--no-check",
            "--num-prompts",
            3,
            "--offset",
            1,
            "--out",
            tmp_path / "out",
        )
        done = run_here("eval", *where, *more)
    assert done.exit_code == 0, done.stderr
    found = json.loads((tmp_path / "out/results/m/animals.json").read_bytes())
    assert (found["counts"]["items"], found["measures"][0]["value"]) == (3, 1.0)


def test_a_run_that_does_not_ask_has_no_such_field(tmp_path: Path) -> None:
    with serving(Server) as url:
        run = measure(tmp_path / "run", url, stream=False, model="m", prompt=("a b",), requests=2, max_tokens=1)
    assert all("prompt_logprobs" not in output for output in run.outputs())
