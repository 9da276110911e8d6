"""`perfcore eval` on what is there already: names that keep answers apart, and evaluations that were cut short."""

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.errors import UserError
from perfcore.records import files
from tests.answering import Service, answering, right, right_if_even, sums
from tests.endtoend import started
from tests.test_eval import NUMBER, ask, collect, evaluate, predictions, result, score, until_asked


@pytest.fixture
def service() -> Iterator[Service]:
    with answering(Service(right_if_even)) as running:
        yield running


def preset(path: Path, service: Service, more: str = "") -> Path:
    path.write_text(f'url = "{service.url}"\n{more}')
    return path


def test_models_of_one_family_are_told_apart_by_their_versions(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 2)
    for size in ("7B", "72B"):
        collect(service, data, tmp_path / "out", "--model", f"Qwen/Qwen2.5-{size}", *(["--resume"] * (size == "72B")))
    assert {path.name for path in (tmp_path / "out/results").iterdir()} == {"Qwen2.5-7B", "Qwen2.5-72B"}


def test_answers_of_another_model_behind_the_same_preset_are_not_put_beside(service: Service, tmp_path: Path) -> None:
    data, model = sums(tmp_path / "sums.jsonl", 4), preset(tmp_path / "mine.toml", service)
    every = ("--models", model, "--dataset", data, "--out", tmp_path / "out", "--no-check", *NUMBER)
    evaluate(*every, "--num-prompts", 2)
    with answering(Service(right, name="successor")) as other:
        preset(model, other)
        assert 'model "adder", and now it is "successor"' in evaluate(*every, "--resume", code=2)
        assert other.asked == []
    assert score(tmp_path / "out", "mine") == 0.5


def test_files_whose_names_have_dots_are_data_sets_of_their_own(service: Service, tmp_path: Path) -> None:
    both = sums(tmp_path / "sums.v1.jsonl", 2), sums(tmp_path / "sums.v2.jsonl", 4)
    evaluate(*ask(service), "--datasets", *both, "--out", tmp_path / "out", *NUMBER)
    assert [len(predictions(tmp_path / "out", f"sums.v{number}")) for number in (1, 2)] == [2, 4]


def test_two_data_sets_of_one_name_are_refused(service: Service, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sums(tmp_path / name / "sums.jsonl", 2)
    both = (tmp_path / "a/sums.jsonl", tmp_path / "b/sums.jsonl")
    said = evaluate(*ask(service), "--datasets", *both, "--out", tmp_path / "out", *NUMBER, code=2)
    assert "would both be called sums" in said
    assert service.asked == []


def killed(service: Service, out: Path, *arguments: object) -> int:
    """Kill an evaluation in its midst; how many questions the service had been asked by then."""
    slowly = ("eval", *ask(service), *arguments, "--out", out, *NUMBER, "--concurrency", 2)
    with started(*slowly) as process:
        until_asked(service, 10)
        process.kill()
        process.communicate()
    return len(service.asked)


def test_a_killed_evaluation_is_scored_as_far_as_it_came(tmp_path: Path) -> None:
    with answering(Service(right, wait_s=0.05)) as service:
        asked = killed(service, tmp_path / "out", "--dataset", sums(tmp_path / "sums.jsonl", 40))
    evaluate(tmp_path / "out", *NUMBER)
    assert 5 <= len(predictions(tmp_path / "out")) <= asked  # a busy machine may be some answers behind its service
    assert score(tmp_path / "out") == len(predictions(tmp_path / "out")) / 40


def test_what_data_sets_asked_together_had_been_answered_is_kept_where_they_go_on_alone(tmp_path: Path) -> None:
    both = ("--datasets", sums(tmp_path / "one.jsonl", 20), sums(tmp_path / "other.jsonl", 20))
    with answering(Service(right, wait_s=0.05)) as service:
        before = killed(service, tmp_path / "out", *both, "--merge-ds")
        service.wait_s = 0
        evaluate(*ask(service), *both, "--out", tmp_path / "out", "--resume", *NUMBER)
        assert before < 40 <= len(service.asked) <= 46  # with those under way, and one before each run
    assert [score(tmp_path / "out", dataset=name) for name in ("one", "other")] == [1.0, 1.0]


def test_a_data_set_that_was_not_reached_keeps_none_from_being_scored(service: Service, tmp_path: Path) -> None:
    both = ("--datasets", sums(tmp_path / "one.jsonl", 4), sums(tmp_path / "other.jsonl", 4))
    evaluate(*ask(service), *both, "--out", tmp_path / "out", *NUMBER)
    shutil.rmtree(tmp_path / "out/results")
    (tmp_path / "out/predictions/adder/other.jsonl").unlink()
    evaluate("--rescore", "--out", tmp_path / "out", *NUMBER)
    assert [path.name for path in (tmp_path / "out/results/adder").iterdir()] == ["one.json"]


def test_what_a_refused_command_wanted_changes_no_figure(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 4)
    collect(service, data, tmp_path / "out")
    assert "body" in collect(service, data, tmp_path / "out", "--resume", "--repeats", 3, code=2)
    evaluate(tmp_path / "out", *NUMBER)
    assert result(tmp_path / "out")["counts"]["answers"] == 4


def test_a_broken_note_of_a_run_is_named(service: Service, tmp_path: Path) -> None:
    collect(service, sums(tmp_path / "sums.jsonl", 2), tmp_path / "out")
    note = tmp_path / "out/runs/adder/sums-1.merged.json"
    note.write_text("{")
    assert str(note) in evaluate(tmp_path / "out", *NUMBER, code=2)


@pytest.mark.parametrize("choice", [("--limit", 2), ("--num-prompts", 3), ("--repeats", 3), ("--shuffle",)])
def test_what_would_choose_questions_is_refused_where_none_is_asked(
    choice: tuple[object, ...], service: Service, tmp_path: Path
) -> None:
    collect(service, sums(tmp_path / "sums.jsonl", 4), tmp_path / "out")
    run = next((tmp_path / "out/runs/adder").glob("*/run.json")).parent
    for given in (("--rescore", "--out", tmp_path / "out"), (run,)):
        assert f"{choice[0]} chooses what is asked" in evaluate(*given, *choice, *NUMBER, code=2)


def test_the_command_that_asked_can_be_given_again_with_rescore(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 4)
    for more in ((), ("--rescore",)):
        collect(service, data, tmp_path / "out", "--num-prompts", 2, "--repeats", 2, *more)
    assert len(service.asked) == 4


def test_so_many_questions_are_those_of_each_data_set_also_where_they_are_asked_together(
    service: Service, tmp_path: Path
) -> None:
    both = ("--datasets", sums(tmp_path / "one.jsonl", 6), sums(tmp_path / "other.jsonl", 6))
    evaluate(*ask(service), *both, "--merge-ds", "--num-prompts", 2, "--offset", 1, "--out", tmp_path / "out", *NUMBER)
    for name in ("one", "other"):
        assert [line["id"] for line in predictions(tmp_path / "out", name)] == ["2", "3"]


@pytest.mark.parametrize("merged", [(), ("--merge-ds",)])
def test_a_setting_of_one_data_set_is_that_of_no_other(
    merged: tuple[str, ...], service: Service, tmp_path: Path
) -> None:
    presets = tmp_path / "configs/datasets"
    presets.mkdir(parents=True)
    for name in ("one", "other"):
        folder = sums(tmp_path / f"{name}.jsonl", 1).parent
        args = f'files = ["{name}.jsonl"]\n[args]\nprompt = "{{question}}"\nreference = "answer"\n'
        (presets / f"{name}.toml").write_text(f'reader = "table"\n{args}[evaluation]\nevaluator = "number"\n')
    where = ("--config-dir", tmp_path / "configs", "--data-dir", folder, "--datasets", "one", "other", *merged)
    own = ("--dataset-args", 'one.prompt="Say {question}"', "--url", service.url, "--no-check")
    evaluate(*where, *own, "--out", tmp_path / "out")
    assert sorted(service.asked) == ["Say What is 0 plus 7?", "What is 0 plus 7?"]
    evaluate("--rescore", "--out", tmp_path / "out")
    versions = {name: result(tmp_path / "out", dataset=name)["version"] for name in ("one", "other")}
    assert versions["one"] != versions["other"]


def test_empty_answers_are_counted_apart_from_failed_ones(tmp_path: Path) -> None:
    with answering(Service(lambda a, b, _: "" if a % 2 else right(a, b, 0))) as service:
        collect(service, sums(tmp_path / "sums.jsonl", 4), tmp_path / "out")
    counts = result(tmp_path / "out")["counts"]
    assert (counts["empty"], counts["failed"]) == (2, 0)
    assert score(tmp_path / "out") == 0.5


def test_answers_of_each_model_are_read_by_the_tags_of_its_own_preset(tmp_path: Path) -> None:
    with answering(Service(lambda a, b, _: f"{right(a, b, 0)}<r>No: 1000</r>")) as service:
        plain = preset(tmp_path / "plain.toml", service)
        tagged = preset(tmp_path / "tagged.toml", service, 'think_tags = "<r>,</r>"\n')
        both = ("--models", plain, tagged, "--dataset", sums(tmp_path / "sums.jsonl", 2), "--no-check")
        number = ("--evaluation", "evaluator=number", "--evaluation", 'filters=[{"regex": "(\\\\d+)\\\\D*$"}]')
        evaluate(*both, "--out", tmp_path / "out", *number)
        for again in ((), ("--rescore", "--out", tmp_path / "out", *number)):
            _ = evaluate(*again) if again else ""
            assert [score(tmp_path / "out", name) for name in ("plain", "tagged")] == [0.0, 1.0]


def test_what_finds_no_room_leaves_what_was_there_and_is_one_sentence(service: Service, tmp_path: Path) -> None:
    data = sums(tmp_path / "sums.jsonl", 40)
    collect(service, data, tmp_path / "out", "--num-prompts", 4)
    kept = tmp_path / "out/configs/adder/sums.json"
    before, limits = kept.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*sums\.json: .*--resume"):
            files.write(kept, bytes(len(before) + 200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert kept.read_bytes() == before
    collect(service, data, tmp_path / "out", "--resume")
    assert len(predictions(tmp_path / "out")) == 40
