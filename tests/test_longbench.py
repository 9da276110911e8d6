"""Long texts: LongBench and L-Eval, with the other data sets that are scored by text."""

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
from tests.rows_scored import rows, said, scored, write

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
        ("lcc", "```\n# comment\nreturn left\n```", "return left + right", 0.73),  # rounded to a percent
        # What follows is as the authors' program has it, since its numbers are published.
        ("triviaqa", "The answer is a blue kite\nmore", "a blue kite", 0.666667),  # the first line, whole
        ("hotpotqa", "3.14", "314", 1),
        ("hotpotqa", "It\u2019s Bob", "It's Bob", 0.5),  # marks of ASCII alone are no part of words
        ("hotpotqa", "The", "the", 0),
        ("multifieldqa_zh", "增长3.5", "增长3.5%", 1),
        ("multifieldqa_zh", "《红楼梦》", "红楼梦", 0.666667),  # the opening mark counts as a word
        ("lcc", "# comment\n\nreturn left", "return left", 0),  # the blank line is the first
        ("samsum", " \nBob came", "Bob came", 0),
    ],
)
def test_longbench_scores_each_subset_by_its_measure(
    tmp_path: Path, subset: str, answer: str, reference: str, score: float
) -> None:
    row = longbench(tmp_path, subset, answers=[reference], all_classes=CLASSES)
    assert scored("longbench", answer, row).score == pytest.approx(score, abs=1e-6)


# Different words count: in the second line the answer has seven, the reference three, and these are in common. Where
# order differs, it is the words of the longest run in order that are in common.
@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        ("the cat sat. the cat sat", "the cat sat", 1),
        ("a dog ran off. the cat sat", "the cat sat", 2 * (3 / 7) / (1 + 3 / 7)),
        ("The cat sat.", "the cat sat", 2 / 3),  # case counts
        ("blue a kite", "a kite blue", 2 / 3),
        ("...", "the cat", 0),
        ("ran off the cat. sat", "the cat sat. he ran", 2 * (4 / 5) * (4 / 5) / (8 / 5)),
    ],
)
def test_rouge_of_longbench_counts_different_words_over_sentences(
    tmp_path: Path, answer: str, reference: str, score: float
) -> None:
    row = longbench(tmp_path, "gov_report", answers=[reference])
    assert scored("longbench", answer, row).score == pytest.approx(score, abs=1e-6)


def test_rouge_of_longbench_has_a_value_for_sentences_of_thousands_of_words(tmp_path: Path) -> None:
    words = [str(number) for number in range(5000)]
    row = longbench(tmp_path, "gov_report", answers=[" ".join(words[:2000])])
    assert scored("longbench", " ".join(words), row).score == pytest.approx(2 * 0.4 / 1.4, abs=1e-6)


def test_questions_of_longbench_e_are_asked_by_their_own_preset_alone(tmp_path: Path) -> None:
    longbench(tmp_path, "qasper", input="Plain?")
    longbench(tmp_path, "qasper_e", input="Even?", dataset="qasper")
    assert ["Plain?" in said(row) for row in rows("longbench", tmp_path)] == [True]
    (row,) = rows("longbench_e", tmp_path)
    assert "Even?" in said(row) and "unanswerable" in said(row) and row.subset == "qasper"
    assert scored("longbench_e", "it is so", row).score == 1


def test_totals_of_longbench_are_by_the_length_of_the_text() -> None:
    table = evaluator("longbench")
    samples = [Sample(id=str(length), meta={"length": length}) for length in (10, 3999, 4000, 8000)]
    assert table.totals is not None
    found = table.totals(samples, [Verdict(1), Verdict(0), Verdict(0.25), Verdict(1)], table.settings())
    assert found == {"0-4k": 0.5, "4-8k": 0.25, "8k+": 1}


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
        ("coursera", "A", "AC", 0.25),
        ("coursera", "AB", "AC", 0),
        ("coursera", "A. one\nC. two", "AC", 1),
        ("coursera", "The right ones are:\n\n- A) one\n- C) two\n\nThey hold.", "AC", 1),
        ("coursera", "A. one: wrong\nB. two: wrong\nC. three: right\nThe answer is C", "C", 1),
        ("coursera", "AC\n\nExplanation: B is old.", "AC", 1),
        ("gsm100", "It is 10 and 1.\nThe answer is 11.", "11", 1),
        ("codeU", "The loop runs.\nThe final output is: [1,2]", "[1, 2]", 1),
        ("codeU", "The final output is 13.", "3", 0),
        ("codeU", "2.0", "2", 1),
        ("codeU", "It sums rows.\n```\n[[1, 3],\n [2, 4]]\n```", "[[1 3][2 4]]", 1),
        ("codeU", "The final output of the code is:\n```\narray([6, 15])\n```\nThis output is sorted.", "[6 15]", 1),
        ("codeU", "The final output is [1, 2, 3].", "3", 0),
        ("codeU", "The final output is [0, 0], which has two zeros since there are two rows and 3 columns", "3", 0),
        ("sci_fi", "True [fact: True]", "True [fact: False]", 0.5),
        ("sci_fi", "It is true in the story. [fact: it is false]", "True [fact: False]", 1),
        ("sci_fi", "untrue", "True [fact: False]", 0),
        ("topic_retrieval_longchat", "The first topic was the role of art.", "The role of art", 1),
        ("topic_retrieval_longchat", "The first\nThe role of art", "The role of art", 0),
        ("financial_qa", "police kill the gunman", "police killed the gunman", 0.666667),  # F1 without articles
        ("news_summ", "police kill the gunman", "police killed the gunman", 0.75),
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
    assert scored("lambada", "door...and left", row).score == 1
    write(tmp_path / "Xsum/dev.jsonl", {"dialogue": "D", "summary": "police killed the gunman"})
    (row,) = rows("Xsum_gen", tmp_path)
    assert scored("xsum", "police kill the gunman\nand more", row).parts["rougeL"] == 0.75
