"""NeedleBench: facts and chains of relatives in long texts."""

import random
from pathlib import Path

import pytest

from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from perfcore.errors import UserError
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.needles import RELATIVES, SENTENCES
from tests.rows_scored import rows, scored, write
from tests.tokenizers_made import made


def needlebench(folder: Path) -> Path:
    """The files, in the layout of their home."""
    english = [{"text": " ".join(f"Essay {text} says {number}." for number in range(40))} for text in range(8)]
    write(folder / "needlebench/PaulGrahamEssays.jsonl", *english)
    write(folder / "needlebench/zh_finance.jsonl", *({"text": f"股票{text}上涨。" * 40} for text in range(8)))
    facts = [
        {
            "needle": f"Hidden on {arg1} is {arg2}.",
            "retrieval_question": f"What is on {arg1}? Please answer in the format 'Hidden on {arg1} is ____.'",
            "arg1": arg1,
            "arg2": arg2,
            "language": language,
        }
        for language in ("English", "Chinese")
        for arg1, arg2 in ((f"Isle {number}", f"the Gem {number}{number}") for number in range(12))
    ]
    write(folder / "needlebench/needles.jsonl", *facts)
    names = {
        "English": ",".join(f"Name{number:03}" for number in range(600)),
        "Chinese": ",".join(f"张{chr(0x4E00 + number)}" for number in range(40)),
    }
    write(folder / "needlebench/names.json", names)
    return folder


def parents(text: str, language: str) -> dict[str, tuple[str, int]]:
    """Elder of each person in a chain and the generations to it, read from the sentences."""
    found = {}
    names = [f"Name{number:03}" for number in range(600)] if language == "en" else []
    there = [name for name in names if name in text]
    for younger in there:
        for elder in there:
            for relative, steps in RELATIVES[language].items():
                lines = [one.format(elder=elder, younger=younger, relative=relative) for one in SENTENCES[language]]
                if elder != younger and {*lines} & {*text.splitlines()}:
                    found[younger] = (elder, steps)
    return found


def test_a_chain_of_relatives_leads_to_the_reference(tmp_path: Path) -> None:
    for row in rows("atc_0shot_nocot_2_power_en", needlebench(tmp_path), needles=[4], repeats=2):
        chain = parents(str(row.prompt), "en")
        youngest = next(name for name in chain if name not in {elder for elder, _ in chain.values()})
        elders, generations = [youngest], [0]
        while elders[-1] in chain:
            elder, steps = chain[elders[-1]]
            elders.append(elder)
            generations.append(generations[-1] + steps)
        kind, right = row.meta["kind"], row.reference
        assert len(elders) == 5
        if kind == "eldest":
            assert right == elders[-1]
        elif kind == "distance":
            assert right == str(generations[-1])
        else:
            steps = generations[elders.index(str(right))]
            steps = steps if kind == "ancestor" else generations[-1] - steps
            assert f" {steps} generations" in str(row.prompt)


@pytest.mark.parametrize("percent", [0, 10, 50, 90, 100])
def test_a_needle_is_at_its_depth_and_the_text_has_its_length(tmp_path: Path, percent: int) -> None:
    found = rows("needlebench", needlebench(tmp_path), languages=["en"], lengths=[2000], depths=[percent], repeats=3)
    assert [row.subset for row in found] == [f"single_en_length2000_depth{percent}"] * 3
    for row in found:
        text = str(row.prompt).partition("<document>\n")[2].partition("\n</document>")[0]
        before, needle, _ = text.partition("Hidden on")
        assert needle and abs(len(before) / len(text) - percent / 100) < 0.05
        assert 1500 - 20 < row.meta["haystack_tokens"] + 7 <= 1500  # a sentence has 5 tokens, a needle about 8
        assert str(row.reference[0]) in text


def test_lengths_are_in_tokens_of_the_tokenizer(tmp_path: Path) -> None:
    tokenizer = made("bytes")
    wanted = Wanted(tokenizer=tokenizer)
    for row in rows("needlebench", needlebench(tmp_path), wanted, lengths=[900, 3000], depths=[50], repeats=1):
        text = str(row.prompt).partition(">\n")[2].rpartition("\n<")[0]
        left = {"en": 500, "zh": 200}[row.meta["language"]]
        assert abs(tokenizer.counts([text])[0] - (row.meta["length"] - left)) < 60


def test_the_same_repeat_has_the_same_needle_at_every_length_and_depth(tmp_path: Path) -> None:
    found = rows("needlebench", needlebench(tmp_path), languages=["zh"], lengths=[900, 1500], depths=[0, 50, 100])
    assert len(found) == 2 * 3 * 10
    for repeat in range(10):
        assert len({str(row.reference) for row in found[repeat::10]}) == 1
    again = rows("needlebench", tmp_path, languages=["zh"], lengths=[900, 1500], depths=[0, 50, 100])
    assert found == again
    assert found != rows(
        "needlebench", tmp_path, Wanted(seed=1), languages=["zh"], lengths=[900, 1500], depths=[0, 50, 100]
    )


def test_texts_come_again_where_a_length_wants_more_than_there_is(tmp_path: Path) -> None:
    (row,) = rows("needlebench", needlebench(tmp_path), languages=["en"], lengths=[50_000], depths=[30], repeats=1)
    assert row.meta["haystack_tokens"] > 49_000


@pytest.mark.parametrize(
    ("name", "subsets"),
    [
        ("needlebench_v2_4k", 448),
        ("needlebench_v2_single_4k", 88),
        ("needlebench_v2_multi_retrieval_4k", 8),
        ("needlebench_v2_multi_reasoning_4k", 352),
        ("needlebench_v2_single_8k", 176),
    ],
)
def test_needlebench_has_the_cells_of_aisbench(tmp_path: Path, name: str, subsets: int) -> None:
    found = rows(name, needlebench(tmp_path), repeats=1)
    assert len({row.subset for row in found}) == len(found) == subsets


@pytest.mark.parametrize("name", ["needlebench_v2_4k", "atc_0shot_nocot_2_power_en"])
def test_references_of_needlebench_as_answers_score_everything_and_shuffled_ones_little(
    tmp_path: Path, name: str
) -> None:
    found = random.Random(1).sample(rows(name, needlebench(tmp_path), repeats=2), 60)
    answers = [", ".join(row.reference) if isinstance(row.reference, list) else row.reference for row in found]
    boxed = [f"It is \\boxed{{{answer}}}." for answer in answers]
    assert {scored(name, answer, row).score for answer, row in zip(boxed, found, strict=True)} == {1}
    others = [
        scored(name, boxed[(at + shift) % 60], row).score for at, row in enumerate(found) for shift in (7, 13, 29)
    ]
    assert sum(others) / len(others) < 0.3


@pytest.mark.parametrize(
    ("answer", "score", "extracted"),
    [
        ("So \\boxed{Ann} or \\boxed{ Bob Hill }", 1, "Bob Hill"),
        ("\\boxed{\\text{Bob Hill}}", 1, "Bob Hill"),
        ("\\boxed{{Bob~Hill}}", 1, "Bob Hill"),
        ("\\boxed{Ann}, not Bob Hill", 0, "Ann"),
        ("It is Bob Hill.", 0, None),
    ],
)
def test_a_relative_has_to_be_boxed(answer: str, score: float, extracted: str | None) -> None:
    row = Row("1", reference="Bob Hill", meta={"task": "multi_reasoning"})
    found = scored("needlebench", answer, row)
    assert (found.score, found.extracted) == (score, extracted)
    assert found.parts == {"mentioned": float("Bob Hill" in answer)}


def test_the_comparison_of_batches_asks_for_several_numbers_of_facts_spread_over_the_text(tmp_path: Path) -> None:
    name = "needlebench_v2_multi_retrieval_compare_batch_8k"
    found = rows(name, needlebench(tmp_path), spread=[1, 5, 12], lengths=[2000], languages=["en"])
    assert [row.subset for row in found[::50]] == [f"multi_retrieval_{n}needle_en_length2000" for n in (1, 5, 12)]
    assert [row.meta["depths"] for row in found[:100:50]] == [[0], [0, 25, 50, 75, 100]]
    assert [len(row.reference) for row in found[::50]] == [1, 5, 12] and len(found) == 150
    assert all(str(row.prompt).count("Hidden on Isle") >= len(row.reference) for row in found)


def test_needlebench_asks_for_several_facts_as_often_as_its_own_configuration(tmp_path: Path) -> None:
    found = rows("needlebench_v2_4k", needlebench(tmp_path), lengths=[1000], depths=[0], needles=[2], languages=["en"])
    assert [row.meta["task"] for row in found].count("multi_retrieval") == 25
    assert len(found) == 10 + 25 + 10


def test_a_question_about_relatives_is_about_the_whole_chain(tmp_path: Path) -> None:
    found = rows("atc_0shot_nocot_2_power_en", needlebench(tmp_path), needles=[64], repeats=1)
    answers = {str(row.meta["kind"]): str(row.reference) for row in found}
    assert answers["ancestor"] == answers["eldest"] != answers["descendant"]
    assert f" {answers['distance']} generations" in str(found[1].prompt)


def test_the_overall_score_of_needlebench_is_the_mean_of_its_tasks() -> None:
    table = evaluator("needlebench")
    tasks = ["single", "multi_retrieval", "multi_reasoning", "multi_reasoning"]
    samples = [Sample(id=str(at), reference="x", meta={"task": task}) for at, task in enumerate(tasks)]
    assert table.totals is not None
    found = table.totals(samples, [Verdict(1), Verdict(0.5), Verdict(0), Verdict(0)], table.settings())
    assert found["overall"] == 0.5


def test_several_needles_score_their_share_and_each_depth_is_a_part() -> None:
    meta = {"task": "multi_retrieval", "language": "en", "length": 4000, "depths": [0, 50, 100]}
    row = Row("1", reference=["the Gem", "7", "a Map"], meta=meta)
    found = scored("needlebench", "The gem, and 17 of A Map.", row)
    assert found.score == pytest.approx(2 / 3)
    assert found.parts == {"retrieval_depth_0": 1, "retrieval_depth_50": 0, "retrieval_depth_100": 1}


def test_totals_of_needlebench_are_by_task_length_and_depth() -> None:
    table = evaluator("needlebench")
    metas = [{"task": "single", "language": "en", "length": 4000, "depth": depth} for depth in (0, 0, 50)]
    samples = [Sample(id=str(at), reference="x", meta=meta) for at, meta in enumerate(metas)]
    assert table.totals is not None
    found = table.totals(samples, [Verdict(1), Verdict(0), Verdict(1)], table.settings())
    mean = pytest.approx(2 / 3)
    assert found == {
        "single": mean,
        "single_en": mean,
        "single_length_4000": mean,
        "single_depth_0": 0.5,
        "single_depth_50": 1,
    }


def test_needlebench_names_what_there_is_too_little_of(tmp_path: Path) -> None:
    needlebench(tmp_path)
    with pytest.raises(UserError, match=r"names.json has 40 names in Chinese, 65 are wanted"):
        rows("needlebench", tmp_path, tasks=["atc"], languages=["zh"], needles=[64])
    with pytest.raises(UserError, match=r"needles.jsonl has 12 facts in English, 51 are wanted"):
        rows("needlebench", tmp_path, tasks=["multi_retrieval"], languages=["en"], depths=[*range(0, 101, 2)])
