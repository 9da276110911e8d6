"""`perfcore eval` as a user runs it: answers collected and scored, scored again, gone on with after a kill."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.answering import Service, answering, right, right_if_even, sums
from tests.endtoend import run_command, run_here, started

NUMBER = ("--evaluation", "evaluator=number")


@pytest.fixture
def service() -> Iterator[Service]:
    with answering(Service(right_if_even)) as running:
        yield running


def ask(service: Service) -> tuple[str, ...]:
    return ("--url", service.url, "--no-check")


def evaluate(*arguments: object, code: int = 0) -> str:
    """The command's standard output, or its standard error where it is to end otherwise than well."""
    done = run_here("eval", *arguments)
    assert done.exit_code == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def collect(service: Service, data: Path, out: Path, *more: object, code: int = 0) -> str:
    return evaluate(*ask(service), "--dataset", data, "--out", out, *NUMBER, *more, code=code)


def result(out: Path, model: str = "adder", dataset: str = "sums") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "results" / model / f"{dataset}.json").read_bytes())
    return found


def score(out: Path, model: str = "adder", dataset: str = "sums") -> float:
    value: float = result(out, model, dataset)["measures"][0]["value"]
    return value


def predictions(out: Path, dataset: str = "sums") -> list[dict[str, Any]]:
    lines = (out / "predictions" / "adder" / f"{dataset}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def answers(out: Path) -> list[tuple[str, int, str, str | None]]:
    return [(line["question"], line["repeat"], line["prediction"], line["error"]) for line in predictions(out)]


def test_answers_are_collected_and_scored(service: Service, tmp_path: Path) -> None:
    said = collect(service, sums(tmp_path / "sums.jsonl", 10), tmp_path / "out")
    assert "50.0" in said
    assert score(tmp_path / "out") == 0.5
    assert sorted(service.asked) == sorted(f"What is {a} plus 7?" for a in range(10))
    folders = {"configs", "logs", "predictions", "results", "runs", "summary", "eval.json", "report.html"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == folders


def test_a_question_is_asked_once_for_the_likeliest_answer(service: Service, tmp_path: Path) -> None:
    collect(service, sums(tmp_path / "sums.jsonl", 2), tmp_path / "out")
    assert [body["temperature"] for body in service.bodies] == [0, 0]


def test_repeated_questions_leave_the_sampling_to_the_service(service: Service, tmp_path: Path) -> None:
    collect(service, sums(tmp_path / "sums.jsonl", 2), tmp_path / "out", "--repeats", 3)
    assert len(service.bodies) == 6
    assert all("temperature" not in body for body in service.bodies)


def test_repeats_of_one_question_are_never_mixed_with_those_of_another(tmp_path: Path) -> None:
    with answering(Service(right_if_even)) as service:
        collect(service, sums(tmp_path / "sums.jsonl", 2), tmp_path / "out", "--repeats", 2, "--k", 2)
    named = {one["name"]: one["value"] for one in result(tmp_path / "out")["measures"]}
    assert (named["pass@2"], named["cons@2"]) == (0.5, 0.5)


def test_a_k_above_the_repeats_is_refused_before_anything_is_asked(service: Service, tmp_path: Path) -> None:
    said = collect(service, sums(tmp_path / "sums.jsonl", 2), tmp_path / "out", "--repeats", 2, "--k", 4, code=2)
    assert "k = 4" in said
    assert service.asked == []


def test_a_data_set_without_its_files_is_told_before_another_is_asked(service: Service, tmp_path: Path) -> None:
    both = ("--datasets", sums(tmp_path / "sums.jsonl", 2), "mmlu", "--data-dir", tmp_path / "none")
    said = evaluate(*ask(service), *NUMBER, *both, "--out", tmp_path / "out", "--download", code=2)
    assert "the data set mmlu lacks" in said
    assert service.asked == []
    assert not (tmp_path / "out").exists()


def test_scoring_again_asks_nothing(service: Service, tmp_path: Path) -> None:
    collect(service, sums(tmp_path / "sums.jsonl", 6), tmp_path / "out")
    asked = len(service.asked)
    evaluate("--rescore", "--out", tmp_path / "out", "--evaluation", "evaluator=contains")
    assert len(service.asked) == asked
    assert result(tmp_path / "out")["evaluator"] == "contains"
    evaluate(tmp_path / "out")
    assert score(tmp_path / "out") == 0.5


def test_the_answers_of_a_run_under_load_have_the_same_score(service: Service, tmp_path: Path) -> None:
    data, run = sums(tmp_path / "sums.jsonl", 10), tmp_path / "run"
    done = run_command("stress", *ask(service), "--dataset", data, "--out", run, "--quiet")
    assert done.returncode == 0, done.stderr
    evaluate(run, *NUMBER, "--dump-details")
    assert score(run / "eval") == 0.5
    details = [json.loads(line) for line in (run / "eval/results/adder/sums.jsonl").read_text().splitlines()]
    keys = {
        "id",
        "repeat",
        "prompt",
        "prediction",
        "reasoning",
        "extracted",
        "rule",
        "reference",
        "correct",
        "why",
        "error",
    }
    assert keys <= details[0].keys()
    assert sum(bool(line["correct"]) for line in details) == 5


def aisbench_file(out: Path, to: Path) -> Path:
    """The answers of an evaluation as AISBench saves them."""
    path = to / "adder" / "sums.jsonl"
    path.parent.mkdir()
    rows = [
        {"data_abbr": "sums", "id": line["index"], "success": True, "prediction": line["prediction"], "gold": "?"}
        for line in predictions(out)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evalscope_file(out: Path, to: Path) -> Path:
    """The answers of an evaluation as EvalScope saves them."""
    path = to / "adder" / "sums_default.jsonl"
    path.parent.mkdir()
    rows = [
        {
            "index": line["index"],
            "model": "adder",
            "model_output": {"choices": [{"message": {"content": line["prediction"]}, "stop_reason": "stop"}]},
            "messages": [{"role": "user", "content": line["prompt"]}],
        }
        for line in predictions(out)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def own_file(out: Path, _: Path) -> Path:
    return out / "predictions" / "adder" / "sums.jsonl"


@pytest.mark.parametrize(
    ("form", "write"), [("aisbench", aisbench_file), ("evalscope", evalscope_file), ("jsonl", own_file)]
)
def test_answers_that_other_tools_saved_have_the_same_score(
    form: str, write: Any, service: Service, tmp_path: Path
) -> None:
    data = sums(tmp_path / "sums.jsonl", 10)
    collect(service, data, tmp_path / "out")
    (tmp_path / "theirs").mkdir()
    file = write(tmp_path / "out", tmp_path / "theirs")
    arguments = ("--predictions", file, "--format", form, "--dataset", data, "--out", tmp_path / "again", *NUMBER)
    evaluate(*arguments)
    assert score(tmp_path / "again") == 0.5


def test_after_a_kill_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    data, out = sums(tmp_path / "sums.jsonl", 40), tmp_path / "out"
    with answering(Service(right_if_even, wait_s=0.05)) as service:
        arguments = ("eval", *ask(service), "--dataset", data, "--out", out, *NUMBER, "--concurrency", 2)
        with started(*arguments) as process:
            until_asked(service, 10)
            process.kill()
            process.communicate()
        before = len(service.asked)
        assert before < 40
        collect(service, data, out, "--resume")
        again = len(service.asked) - before
    with answering(Service(right_if_even)) as service:
        collect(service, data, tmp_path / "whole")
    assert again < 40
    assert answers(out) == answers(tmp_path / "whole")
    assert score(out) == score(tmp_path / "whole") == 0.5


def until_asked(service: Service, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(service.asked) < number:
        assert time.monotonic() < deadline, "the service was never asked"
        time.sleep(0.01)


def test_failed_questions_alone_are_asked_again(tmp_path: Path) -> None:
    data, out = sums(tmp_path / "sums.jsonl", 8), tmp_path / "out"
    with answering(Service(right, refused=3)) as service:
        collect(service, data, out, "--retries", 0)
        assert result(out)["counts"]["failed"] == 3
        assert score(out) == 5 / 8
        collect(service, data, out, "--resume", "--retries", 0)
        assert len(service.asked) == 8
    assert score(out) == 1.0


def test_retries_are_on(tmp_path: Path) -> None:
    with answering(Service(right, refused=3)) as service:
        collect(service, sums(tmp_path / "sums.jsonl", 4), tmp_path / "out")
    assert score(tmp_path / "out") == 1.0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--max-tokens", 50), "max_tokens null, and now it is 50"),
        (("--body", "top_p=0.5"), "top_p"),
    ],
)
def test_going_on_with_other_settings_is_refused(
    more: tuple[object, ...], said: str, service: Service, tmp_path: Path
) -> None:
    data = sums(tmp_path / "sums.jsonl", 3)
    collect(service, data, tmp_path / "out")
    assert said in collect(service, data, tmp_path / "out", "--resume", *more, code=2)


def test_going_on_with_other_questions_is_refused(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 3)
    collect(service, data, tmp_path / "out")
    data.write_text(data.read_text().replace("What is 1 plus", "How much is 1 plus"))
    said = collect(service, data, tmp_path / "out", "--resume", code=2)
    assert "sums.jsonl/2" in said
    assert "other words" in said


def test_more_questions_are_added_to_those_that_were_answered(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 10)
    collect(service, data, tmp_path / "out", "--num-prompts", 4)
    collect(service, data, tmp_path / "out", "--resume", "--num-prompts", 6)
    assert len(service.asked) == 6
    assert result(tmp_path / "out")["counts"]["items"] == 6


def test_a_folder_that_has_an_evaluation_is_not_written_over(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 2)
    collect(service, data, tmp_path / "out")
    assert "--resume" in collect(service, data, tmp_path / "out", code=2)


def test_several_data_sets_make_one_run_or_runs_side_by_side(service: Service, tmp_path: Path) -> None:
    one, other = sums(tmp_path / "one.jsonl", 4), sums(tmp_path / "other.jsonl", 6)
    both = (*ask(service), "--datasets", one, other, *NUMBER)
    for way, flags in {"alone": (), "merged": ("--merge-ds",), "beside": ("--parallel-tasks", 2)}.items():
        evaluate(*both, "--out", tmp_path / way, *flags)
        assert [score(tmp_path / way, dataset=name) for name in ("one", "other")] == [0.5, 0.5]
        assert [len(predictions(tmp_path / way, name)) for name in ("one", "other")] == [4, 6]
    assert len(list((tmp_path / "merged/runs/adder").glob("*/run.json"))) == 1


def test_the_first_questions_of_each_subset_are_taken(service: Service, tmp_path: Path) -> None:
    first, second = sums(tmp_path / "first.jsonl", 6), sums(tmp_path / "second.jsonl", 4)
    rows = [
        {**json.loads(line), "part": name.stem} for name in (first, second) for line in name.read_text().splitlines()
    ]
    data = tmp_path / "sums.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    preset = tmp_path / "configs" / "datasets" / "parted.toml"
    preset.parent.mkdir(parents=True)
    args = '[args]\nprompt = "{question}"\nreference = "answer"\nsubset = "part"\n'
    preset.write_text(f'reader = "table"\n{args}[evaluation]\nevaluator = "number"\n')
    where = ("--config-dir", tmp_path / "configs", "--dataset", f"parted:{data}", "--url", service.url)
    evaluate(*where, "--limit", 2, "--out", tmp_path / "out")
    assert [line["subset"] for line in predictions(tmp_path / "out", "parted")] == ["first"] * 2 + ["second"] * 2
    evaluate(*where, "--limit", 0.5, "--out", tmp_path / "half")
    assert [line["subset"] for line in predictions(tmp_path / "half", "parted")] == ["first"] * 3 + ["second"] * 2


def test_a_data_set_without_an_evaluator_is_refused_before_anything_is_asked(service: Service, tmp_path: Path) -> None:
    data = tmp_path / "prompts.jsonl"
    data.write_text('{"prompt": "What is 1 plus 7?"}\n')
    said = evaluate(*ask(service), "--dataset", data, "--out", tmp_path / "out", code=2)
    assert "has no evaluator" in said
    assert service.asked == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--dataset", "DATA"), "--url"),
        (
            (
                "--url",
                "http://127.0.0.1:1",
            ),
            "--datasets",
        ),
        (("--dataset", "DATA", "--rescore"), "--out"),
        (("--format", "aisbench", "--dataset", "DATA"), "--predictions"),
        (("--url", "http://127.0.0.1:1", "--dataset", "DATA", "--rate", "3"), "measuring speed"),
        (("--url", "http://127.0.0.1:1", "--dataset", "DATA", "--concurrency", "1,2"), "one load"),
        (("--url", "http://127.0.0.1:1", "--dataset", "DATA", "--evaluation", "evaluator=numbr"), "'number'"),
        (("--url", "http://127.0.0.1:1", "--dataset", "DATA", "--evaluation", "args.tolerence=1"), "tolerence"),
        (("--url", "http://127.0.0.1:1", "--dataset", "DATA", "--evaluation", 'filters=["strap"]'), "strip"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 2)
    given = [str(data) if one == "DATA" else one for one in arguments]
    default = () if any("evaluator=" in one for one in arguments) else NUMBER
    error = evaluate(*default, *given, code=2)
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_programs_of_a_model_are_not_run_unless_that_is_allowed(service: Service, tmp_path: Path) -> None:
    data = Path(__file__).parent / "data" / "datasets" / "humaneval"
    where = (*ask(service), "--dataset", f"humaneval:{data}", "--out", tmp_path / "out")
    assert "--allow-code-execution" in evaluate(*where, code=2)
    assert service.asked == []


def judged(reply: str) -> Any:
    return lambda *_: reply


def test_a_judge_scores_what_no_rule_can(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 4)
    with answering(Service(judged("GRADE: A"))) as judge:
        more = ("--evaluation", "evaluator=judged", "--judge-url", judge.url, "--judge-model", "judge")
        evaluate(*ask(service), "--dataset", data, "--out", tmp_path / "out", *more)
        assert len(set(judge.asked)) == 4
    assert score(tmp_path / "out") == 1.0


def test_a_judge_is_asked_about_what_the_rule_has_wrong_alone(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 6)
    with answering(Service(judged("GRADE: A"))) as judge:
        more = ("--judge-strategy", "llm_recall", "--judge-url", judge.url, "--judge-model", "judge")
        collect(service, data, tmp_path / "out", *more, "--dump-details")
        assert len(set(judge.asked)) == 3
    assert score(tmp_path / "out") == 1.0
    assert result(tmp_path / "out")["judges"]["agreement"] == 0.0


def test_a_judge_whom_no_strategy_asks_is_told(service: Service, tmp_path: Path) -> None:
    with answering(Service(judged("GRADE: A"))) as judge:
        collect(service, sums(tmp_path / "sums.jsonl", 2), tmp_path / "out", "--judge-url", judge.url)
    assert "the judge is not asked: --judge-strategy" in (tmp_path / "out/logs/eval.log").read_text()


def test_a_missing_judge_of_one_data_set_is_told_before_another_is_scored(service: Service, tmp_path: Path) -> None:
    data, run = sums(tmp_path / "sums.jsonl", 2), tmp_path / "run"
    assert run_command("stress", *ask(service), "--dataset", data, "--out", run, "--quiet").returncode == 0
    assert "--judge-url" in evaluate(run, "--evaluation", "evaluator=judged", code=2)
    assert not (run / "eval").exists()


def test_a_missing_judge_is_told_before_anything_is_asked(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 2)
    more = ("--evaluation", "evaluator=judged")
    said = evaluate(*ask(service), "--dataset", data, "--out", tmp_path / "out", *more, code=2)
    assert "--judge-url" in said
    assert service.asked == []
