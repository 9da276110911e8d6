"""Long texts: LongBench, L-Eval and NeedleBench, with the other data sets that are scored by text."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from evaluators.errors import EvaluationError
from evaluators.leval import SUBSETS as LEVAL
from evaluators.longbench import SUBSETS as LONGBENCH
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.settings import evaluation_of, settings_of
from perfcore.errors import UserError
from perfcore.workload import catalogue, registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted
from perfcore.workload.sources.needles import RELATIVES, SENTENCES
from tests.tokenizers_made import made

MINE = ["drop", "lambada", "lcsts", "leval", "longbench", "needlebench", "openqa", "triviaqa", "xsum"]
VARIANTS = [name for name, entry in catalogue.names(None).items() if entry.path.stem in MINE]
CLASSES = ["Abbreviation", "Other location", "location", "Invention, book and other creative piece"]
LINES = {"lcc": "    return left + right", "repobench-p": "self.size = size"}
REFERENCES = {
    "trec": "Abbreviation",
    "lsht": "location",
    "passage_count": "12",
    "passage_retrieval_en": "Paragraph 7",
    "passage_retrieval_zh": "段落3",
    **LINES,
}


def rows(name: str, folder: Path, wanted: Wanted | None = None, **args: Any) -> list[Row]:
    found = registry.open_dataset(registry.resolved(name, None), args, wanted or Wanted(), (folder,))
    assert not isinstance(found, Made)
    return list(found)


def write(path: Path, *lines: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n" for one in lines)
    path.write_text(text, encoding="utf-8")


def sample(row: Row) -> Sample:
    return Sample(id=row.id, reference=row.reference, meta=row.meta, subset=row.subset)


def scored(name: str, text: str, row: Row) -> Verdict:
    """By the evaluation of a preset."""
    preset = registry.resolved(name, None).preset
    evaluation = evaluation_of(preset.evaluation, name)
    found = evaluator(evaluation.evaluator)
    return found.score(text, sample(row), settings_of(evaluation.args, found.settings, name))


def said(row: Row) -> str:
    return (
        str(row.prompt)
        if row.messages is None
        else "\n".join(f"{one['role']}: {one['content']}" for one in row.messages)
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_a_preset_names_an_evaluator_with_settings_that_it_has(name: str) -> None:
    evaluation = evaluation_of(registry.resolved(name, None).preset.evaluation, name)
    settings_of(evaluation.args, evaluator(evaluation.evaluator).settings, name)


def test_groups_of_presets_name_subsets_that_there_are() -> None:
    for name, subsets in (("longbench", LONGBENCH), ("leval", LEVAL)):
        groups = evaluation_of(registry.resolved(name, None).preset.evaluation, name).groups
        assert {one for group in groups.values() for one in group} == subsets.keys()
        assert registry.resolved(name, None).preset.args["prompts"].keys() <= subsets.keys()


def longbench(folder: Path, subset: str, **fields: Any) -> Row:
    row = {"_id": "1", "input": "Who?", "context": "Text.", "answers": ["it is so"], "length": 2, "dataset": subset}
    write(folder / f"LongBench/data/{subset}.jsonl", {**row, "language": "en", "all_classes": None, **fields})
    return rows("longbench", folder)[0]


@pytest.mark.parametrize("subset", LONGBENCH)
def test_references_of_longbench_as_answers_score_everything_and_others_nothing(tmp_path: Path, subset: str) -> None:
    reference = REFERENCES.get(subset, "大桥昨天重新开放" if LONGBENCH[subset] is LONGBENCH["vcsum"] else "a blue kite")
    row = longbench(tmp_path, subset, answers=[reference], all_classes=CLASSES)
    assert scored("longbench", reference, row).score == 1
    assert scored("longbench", "2 zzzz", row).score < 0.3
    assert "Text." in said(row) and "{" not in said(row)


# F1 of "the red kite" and "a blue kite": kite is one of two words on both sides: 1/2. "return left"
# is 11 of 19 characters of "return left + right": 2 * 11 / 30.
@pytest.mark.parametrize(
    ("subset", "answer", "reference", "score"),
    [
        ("hotpotqa", "the red kite", "a blue kite", 0.5),
        ("triviaqa", "a blue kite\nPassage: another", "a blue kite", 1),
        ("hotpotqa", "a blue kite\nPassage: another", "a blue kite", 0.666667),
        ("samsum", "police kill the gunman\nDialogue: more", "police killed the gunman", 0.75),
        ("trec", "Type: location\nAbbreviation", "location", 1),
        ("trec", "location or Abbreviation", "location", 0.5),
        ("trec", "Other location", "Other location", 1),  # location is a part of the right one
        ("trec", "Abbreviation", "location", 0),
        ("trec", "location", "Other location", 0),
        ("passage_count", "There are 12, not 13.", "12", 0.5),
        ("passage_count", "twelve", "12", 0),
        ("passage_retrieval_en", "Paragraph 7", "Paragraph 7", 1),
        ("passage_retrieval_en", "Paragraph 17", "Paragraph 7", 0),
        ("passage_retrieval_zh", "是段落3", "段落3", 1),
        ("lcc", "```\n# comment\nreturn left\n```", "return left + right", 0.733333),
    ],
)
def test_longbench_scores_each_subset_by_its_measure(
    tmp_path: Path, subset: str, answer: str, reference: str, score: float
) -> None:
    row = longbench(tmp_path, subset, answers=[reference], all_classes=CLASSES)
    assert scored("longbench", answer, row).score == pytest.approx(score, abs=1e-6)


def test_longbench_takes_the_best_of_several_references_and_knows_longbench_e(tmp_path: Path) -> None:
    row = longbench(tmp_path, "qasper_e", answers=["no such thing", "a blue kite"])
    assert scored("longbench", "blue kite", row).score == 1
    with pytest.raises(EvaluationError, match="no subset 'other'"):
        scored("longbench", "x", longbench(tmp_path, "other"))


def test_prompts_of_longbench_are_those_of_the_subset(tmp_path: Path) -> None:
    assert said(longbench(tmp_path, "passage_count")).endswith("Reply with the number alone.")
    longbench(tmp_path, "lcc")
    assert [row.subset for row in rows("longbench", tmp_path)] == ["lcc", "passage_count"]
    assert said(rows("longbench_lcc_gen", tmp_path)[0]) == "Text.\nWrite the next line of this code.\n"


def leval(folder: Path, subset: str, *outputs: str) -> list[Row]:
    kind = "Exam" if list(LEVAL).index(subset) < 7 else "Generation"
    questions = [f"Question {number}?" for number in range(len(outputs))]
    write(folder / f"LEval/{kind}/{subset}.jsonl", {"instructions": questions, "input": "Text.", "outputs": outputs})
    short = {"codeU": "code_u", "topic_retrieval_longchat": "topic_retrieval"}.get(subset, subset)
    return rows(f"leval_{short}_gen", folder)


@pytest.mark.parametrize("subset", LEVAL)
def test_references_of_leval_as_answers_score_everything_and_others_little(tmp_path: Path, subset: str) -> None:
    references = {
        "coursera": ("AC", "B"),
        "quality": ("C", "A"),
        "tpo": ("D. a text", "B"),
        "gsm100": ("11", "7"),
        "codeU": ("[1, 2]", "hello"),
        "sci_fi": ("True [fact: False]", "False [fact: True]"),
    }.get(subset, ("a kite in the wind", "prices of copper fell"))
    found = leval(tmp_path, subset, *references)
    assert [row.id for row in found] == [f"{subset}/1#1", f"{subset}/1#2"]
    assert [row.subset for row in found] == [subset] * 2
    assert [scored("leval", str(row.reference), row).score for row in found] == [1, 1]
    assert [scored("leval", other, row).score for row, other in zip(found, references[::-1], strict=True)] == [0, 0]


@pytest.mark.parametrize(
    ("subset", "answer", "reference", "score"),
    [
        ("coursera", "The answer is AC", "AC", 1),
        ("coursera", "A", "AC", 0),
        ("gsm100", "It is 10 and 1.\nThe answer is 11.", "11", 1),
        ("codeU", "The loop runs.\nThe final output is: [1,2]", "[1, 2]", 1),
        ("codeU", "The final output is 13.", "3", 0),
        ("codeU", "2.0", "2", 1),
        ("sci_fi", "True [fact: True]", "True [fact: False]", 0.5),
        ("sci_fi", "It is true in the story. [fact: it is false]", "True [fact: False]", 1),
        ("sci_fi", "untrue", "True [fact: False]", 0),
        ("topic_retrieval_longchat", "The first topic was the role of art.", "The role of art", 1),
        ("financial_qa", "police kill the gunman", "police killed the gunman", 0.75),
    ],
)
def test_leval_scores_each_subset_by_its_measure(
    tmp_path: Path, subset: str, answer: str, reference: str, score: float
) -> None:
    assert scored("leval", answer, leval(tmp_path, subset, reference)[0]).score == score


def test_leval_says_how_long_answers_are_to_be_and_refuses_lists_that_do_not_go_together(tmp_path: Path) -> None:
    assert "Use about 3 words." in said(leval(tmp_path, "news_summ", "one two three")[0])
    write(tmp_path / "LEval/Exam/tpo.jsonl", {"instructions": ["a", "b"], "input": "T", "outputs": ["A"]})
    with pytest.raises(UserError, match=r"tpo.jsonl, line 1: instructions and outputs have to be lists"):
        rows("leval_tpo_gen", tmp_path)


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
        assert abs(tokenizer.counts([text])[0] - (row.meta["length"] - 500)) < 60


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
        ("\\boxed{Ann}, not Bob Hill", 0, "Ann"),
        ("It is Bob Hill.", 0, None),
    ],
)
def test_a_relative_has_to_be_boxed(answer: str, score: float, extracted: str | None) -> None:
    row = Row("1", reference="Bob Hill", meta={"task": "multi_reasoning"})
    found = scored("needlebench", answer, row)
    assert (found.score, found.extracted) == (score, extracted)
    assert found.parts == {"mentioned": float("Bob Hill" in answer)}


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


def test_lcsts_puts_lines_of_two_files_together(tmp_path: Path) -> None:
    write(tmp_path / "LCSTS/test.src.txt", "大桥昨天重新开放", "", "铜价下跌")
    write(tmp_path / "LCSTS/test.tgt.txt", "大桥开放", "", "铜价跌")
    found = rows("lcsts_gen_0_shot_chat", tmp_path)
    assert [row.reference for row in found] == ["大桥开放", "铜价跌"]
    assert said(found[0]).startswith("user: 大桥昨天重新开放\n\n")
    assert [scored("lcsts", str(row.reference), row).score for row in found] == [1, 1]
    write(tmp_path / "LCSTS/test.tgt.txt", "大桥开放")
    with pytest.raises(UserError, match=r"test.src.txt, line 2: has no line beside it"):
        rows("lcsts", tmp_path)


def test_triviaqa_reads_questions_with_lists_of_answers_and_runs_nothing(tmp_path: Path) -> None:
    write(tmp_path / "triviaqa/trivia-dev.qa.csv", "Who wrote it?\t['Ann Hill', \"O'Neil\"]")
    (row,) = rows("triviaqa_gen_5_shot_chat_prompt", tmp_path)
    assert row.reference == ["Ann Hill", "O'Neil"] and len(row.messages or []) == 11
    assert scored("triviaqa", "The answer is O'Neil, I think.", row).score == 1
    assert scored("triviaqa", "Bob\nQuestion: Was it Ann Hill?", row).score == 0
    write(tmp_path / "triviaqa/trivia-dev.qa.csv", "Who?\t__import__('os').getcwd()")
    with pytest.raises(UserError, match=r"line 1: the answers are .* write a list of texts"):
        rows("triviaqa", tmp_path)


def test_drop_lambada_and_xsum_are_scored_from_rows_in_their_layout(tmp_path: Path) -> None:
    write(tmp_path / "drop_simple_eval/dev.jsonl", {"context": "Passage: P\nQuestion: Q", "ref_text": "35 yards|35"})
    (row,) = rows("drop_gen_3_shot_str", tmp_path)
    assert said(row).count("Passage: ") == 4 and said(row).endswith("Question: Q")
    assert [scored("drop", text, row).score for text in ("Answer: 35.", "Answer: 3", "5 and 35")] == [1, 0, 1]
    write(tmp_path / "lambada/test.jsonl", {"prompt": "He shut the", "label": "door"})
    (row,) = rows("lambada_gen", tmp_path)
    assert [scored("lambada", text, row).score for text in ("Door.", '"door"', "the door", "doors")] == [1, 1, 0, 0]
    write(tmp_path / "Xsum/dev.jsonl", {"dialogue": "D", "summary": "police killed the gunman"})
    (row,) = rows("Xsum_gen", tmp_path)
    assert scored("xsum", "police kill the gunman", row).parts["rougeL"] == 0.75
