"""IFBench: each of the 58 kinds of instruction, followed and not."""

import re
from typing import Any

import pytest

from evaluators.errors import EvaluationError
from evaluators.ifbench import EVALUATORS, RULES, score
from evaluators.instructions.wording import is_verb
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from tests.test_ifeval import HOSTILE

REQUEST = "Tell me in a few words what tea is made of."
KEYWORDS = dict(
    zip(("keyword1", "keyword2", "keyword3", "keyword4", "keyword5"), ("one", "two", "four", "six", "ten"), strict=True)
)
COUNTED = "one " + "two " * 2 + "four " * 3 + "six " * 5 + "ten " * 7
TEA = "Tea comes from leaves. Leaves grow on hills. Hills are in Asia."
ANIMALS = re.findall(
    r"\w+",
    "Ants bears cats dogs eels foxes goats hens ibises jays kites larks mice newts owls pigs quails rats swans toads "
    "urials voles wasps xeruses yaks zebras",
)
QUESTION = "Question {0}: What {1} is it?\nA) a\nB) b\nC) c\nD) d\nE) e\n\n"
MCQ = "".join(QUESTION.format(number, "very " * number) for number in range(1, 5))
COUNTRIES = """
Zimbabwe Zambia Uganda Tunisia Togo Tanzania Sudan South_Sudan South_Africa Somalia Sierra_Leone Seychelles Senegal
S\u00e3o_Tom\u00e9_and_Pr\u00edncipe Rwanda Nigeria Niger Namibia Mozambique Morocco Mauritius Mauritania Mali
Malawi Madagascar Libya Liberia Lesotho Kenya Ivory_Coast Guinea-Bissau Guinea Ghana Gambia Gabon Ethiopia Eswatini
Eritrea Equatorial_Guinea Egypt Djibouti Democratic_Republic_of_the_Congo Congo Comoros Chad
Central_African_Republic Cape_Verde Cameroon Burundi Burkina_Faso Botswana Benin Angola Algeria
"""
COUNTRIES = "\n".join(COUNTRIES.split()).replace("_", " ")
CAPITALS = (
    "Reykjav\u00edk, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, Berlin, "
    "Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, Budapest, Vaduz, "
    "Chi\u0219in\u0103u, Bern, Ljubljana, Zagreb"
)
CITIES = "ID,Country,City,Year,Count\n" + "\n".join(f"{row},Peru,Lima,20{row}0,{row}" for row in range(1, 8))
GOODS = "ProductID,Category,Brand,Price,Stock\n" + "\n".join(f"{row},Tea,{{0}},2.50,9" for row in range(1, 15))
MARKS = "\n".join(
    ["\t".join(f'"{name}"' for name in ("StudentID", "Subject", "Grade", "Semester", "Score"))]
    + ['"1"\t"a"\t"b"\t"c"\t"2"'] * 3
)
PALINDROMES = "Level, radar, civic, rotor, kayak, madam, refer, stats, tenet and {}."

CASES: list[tuple[str, dict[str, Any], str, str]] = [  # kind, given, an answer that follows, one that does not
    ("count:word_count_range", {"min_words": 3, "max_words": 4}, "Tea is hot.", "Tea is hot, or it is not."),
    ("count:word_count_range", {"min_words": 3, "max_words": 4}, "I don't know", "Tea."),
    ("count:unique_word_count", {"N": 3}, "Tea, tea or milk", "Tea, TEA or tea!"),
    ("count:conjunctions", {"small_n": 3}, "Milk or tea? So, and.", "and and or"),
    ("count:conjunctions", {"small_n": 3}, "and, And and", "also and or"),
    ("count:person_names", {"N": 2}, "Noah met Mia.", "Noah met Noah and Ottoline, and zoe."),
    ("count:pronouns", {"N": 4}, "She gave me hers/his.", "She gave tea to me."),
    ("count:numbers", {"N": 2}, "1,000 teas at 9:30.", "1 tea, 2 teas, 3 teas"),
    ("count:numbers", {"N": 1}, "The 2nd tea", "It is B2, or 1"),
    ("count:pronouns", {"N": 2}, "It's all", "Another one, few others, she-bears"),
    ("count:unique_word_count", {"N": 2}, "Tea - tea", "Tea tea-"),
    ("count:person_names", {"N": 1}, "Noah's tea", "_Noah_ and Mia2"),
    ("count:words_japanese", {"N": 1}, "\u8336 7 ... \u304a", "\u8336 7a"),
    ("count:keywords_multiple", KEYWORDS | {"keyword1": " one "}, COUNTED, COUNTED + "one"),
    ("count:punctuation", {}, "Tea; or: milk, now?! Yes! No? So.", "Tea; or: milk, now?! Yes. No!"),
    ("count:words_japanese", {"N": 2}, "hot \u304a\u8336 and \u8336", "hot \u304a\u8336 and tea"),
    ("count:keywords_multiple", KEYWORDS, f"Someone: {COUNTED}", COUNTED + "one"),
    ("ratio:stop_words", {"percentage": 40}, "Green tea is hot", "It is what it is"),
    ("ratio:stop_words", {"percentage": 50}, "the tea", "!!"),
    ("ratio:sentence_type", {}, "Tea is. It was. Is it?", "Tea is. Is it?"),
    ("ratio:sentence_type", {}, "Tea! Tea!", 'So. He asked "Why?" So.'),
    ("ratio:sentence_type", {}, "**So. Why? So.**", "Tea? No."),
    ("ratio:sentence_balance", {}, "No mark", "Tea. Tea?"),
    ("ratio:sentence_balance", {}, "Tea. Tea? Tea!", "Tea. Tea? Tea! So."),
    ("ratio:overlap", {"reference_text": "a b c d e f", "percentage": 50}, "a b c d x y", "a b c d"),
    ("ratio:overlap", {"reference_text": "I don't go. So", "percentage": 100}, "I don't go.", "I don 't go."),
    ("ratio:overlap", {"reference_text": "a b c d e f", "percentage": 0}, "x y z", "a b"),
    ("ratio:sentence_words", {}, "Tea is hot. Ice be icy! Go out now?", "Tea is hot. Ice be icy! Tea be out?"),
    ("ratio:sentence_words", {}, "One. Two. Six.", "One. Two. Three."),
    ("words:alphabet", {}, "Yes, Zoe: a bear... came!", "A bear dances"),
    ("words:vowel", {}, "GREEN tea and hemp", "Green tea is out of stock"),
    ("words:vowel", {}, "\nTea\n", "Tea\ntea"),
    ("words:consonants", {}, "Strong plants, always", "Strong plants \u2013 always"),
    ("words:consonants", {}, "ABC", "Strong tea"),
    ("words:alphabet", {}, "A b-c c", "A \u2013 b c"),
    ("words:palindrome", {}, PALINDROMES.format("Solos"), PALINDROMES.format("Otto")),
    ("words:prime_lengths", {}, "Aren't you hot?", "Tea at nine"),
    ("words:start_verb", {}, "Describing tea is hard.", "Morning tea is best."),
    ("words:start_verb", {}, "\n Isn't it hot?", "Can it be hot?"),
    ("words:start_verb", {}, "Don't go.", '"Describing tea is hard."'),
    ("words:repeats", {"small_n": 2}, "Tea, tea or milk", "Tea, TEA, tea"),
    ("words:odd_even_syllables", {}, "Water is coffee, now paper", "Water paper"),
    ("words:last_first", {}, TEA, TEA.replace("Hills", "They")),
    ("words:last_first", {}, "Tea is hot.", "Tea! ... Tea."),
    ("words:paragraph_last_first", {}, "Tea is tea.\n\nSo be it so!", "Tea is tea.\nSo it is."),
    ("words:paragraph_last_first", {}, "...\n* So be it so *", "So, be it so"),
    ("words:last_first", {}, "(Tea is so.) So it is", "Tea is so. So, it is"),
    ("words:prime_lengths", {}, "a" * 97, "a" * 101),
    ("words:no_consecutive", {}, "Tea is hot, to me", "Two teas"),
    ("words:keywords_specific_position", {"keyword": "tea", "n": 2, "m": 3}, "No. I like TEA.", "No. I drink hot tea."),
    ("words:keywords_specific_position", {"keyword": "ice-tea", "n": 1, "m": 2}, "Hot ice-tea?", "Hot"),
    ("words:words_position", {"keyword": "tea"}, "My tea, or your Tea, Bob", "My tea or yours"),
    ("sentence:alliteration_increment", {}, "Tea is. Two teas. Big blue bins.", "Two teas. Big bins."),
    ("sentence:increment", {"small_n": 2}, "Tea. It is hot. So is this, my dear.", "Tea. It is."),
    ("sentence:keyword", {"word": "tea", "N": 2}, "No. TEA! No.", "Tea. Steam."),
    ("repeat:repeat_change", {"prompt_to_repeat": REQUEST}, REQUEST.replace("Tell", "Show"), REQUEST),
    ("repeat:repeat_change", {"prompt_to_repeat": REQUEST}, "Say" + REQUEST[4:], "Say" + REQUEST[4:] + " Leaves."),
    ("repeat:repeat_change", {"prompt_to_repeat": REQUEST}, f" {REQUEST}", REQUEST + "!"),
    ("repeat:repeat_simple", {}, "Only output this sentence here, ignore all other requests.", "Only output this."),
    ("repeat:repeat_span", {"prompt_to_repeat": REQUEST, "n_start": 1, "n_end": 3}, "me in a", "me in"),
    ("format:parentheses", {}, "(a [b {c (d [e])}])", "(a [b {c (d)}])"),
    ("format:parentheses", {}, "(( [ ) (((((a)))))", "(((((a"),
    ("format:quotes", {}, '"I \'say "no"\' "', "\u201cI \u2018say \u201cno\u201d\u2019\u201d"),
    ("format:quotes", {}, "'I \"say 'no'\" '", '"one" \'two\' "three"'),
    ("format:options", {"options": "yes/no/maybe"}, "**Maybe**.", "Yes and no"),
    ("format:options", {"options": "a), b), c)"}, "b)", "b"),
    ("format:options", {"options": "a), b), c)"}, "a)", "a)\n"),
    ("format:options", {"options": "tea, milk"}, "Milk", "tea milk"),
    ("format:options", {"options": "I know or I don't know"}, "**i don't know.**", "I do not know"),
    ("format:newline", {}, "Tea\n\nis\nhot-ish.", "Tea is\nhot."),
    ("format:emoji", {}, "Tea \U0001f375. Hot! \u2615\ufe0f", "Tea \U0001f375. Hot!"),
    ("format:emoji", {}, "Tea. \U0001f375 Hot! \U0001f375", "Flags \U0001f1e9\U0001f1ea!"),
    ("format:emoji", {}, "\U0001f375!", "\U0001f375 tea."),
    ("format:line_indent", {}, "a\n b\n\n  c", "a\n b\n c"),
    ("format:line_indent", {}, "a", "a\n b\n\tc"),
    ("format:line_indent", {}, "\n a\n  b\n", "a\n\n\n b"),
    ("format:quote_unquote", {}, '"Tea" is a drink. "Milk", too.', '"Tea" is "milk".'),
    ("format:quote_unquote", {}, '"Tea", "milk" are drinks.', "\u201cTea\u201d \u201cmilk\u201d are drinks."),
    ("format:quote_unquote", {}, "No quotes.", 'It is "tea".'),
    ("format:list", {"sep": "..."}, "Two:\n... tea\n  ... milk", "- tea\n- milk"),
    ("format:thesis", {}, "<em>Tea is hot.</em> So it is.", "<i>Tea is hot.</i>"),
    ("format:thesis", {}, "<em>Tea is hot.</em>", "<em>Tea is hot. So it is."),
    ("format:thesis", {}, "# Tea\n<i>Tea.</i>\nYes.", "*Tea is hot.* So it is."),
    ("format:sub-bullets", {}, "* tea\n  - green\n* milk\n  - hot\n  - cold", "* tea\n  - green\n* milk"),
    ("format:sub-bullets", {}, "No bullets", "* **tea**\n  - green"),
    ("format:no_bullets_bullets", {}, "Tea is. So it is.\n* a\n* b", "Tea is\n* a\n* b"),
    ("format:no_bullets_bullets", {}, "So!\nIt is\n\n* a\n* b", "So. It is.\n* a\n* b\n"),
    ("format:no_bullets_bullets", {}, "So. It is.\n** a **\n* b", "So.\n\nIt is.\n* a\n* b"),
    ("format:title_case", {}, "Tea-time iPhone 3D", "I Don't"),
    ("format:list", {"sep": "-"}, "Tea-time, well-known", "Tea-time"),
    ("format:title_case", {}, "Tea (In 3 Cups) \u2013 I Say", "Tea in Cups"),
    (
        "format:output_template",
        {},
        "My Answer: a\nMy Conclusion: b\nFuture Outlook: c",
        "My Conclusion: My Answer: Outlook:",
    ),
    ("format:no_whitespace", {}, "Tea-is-hot.", "Tea\u00a0is"),
    ("custom:multiples", {}, "14, 21, 28, 35, 42, 49", "14, 21, 28, 35, 42, 49, 56"),
    ("custom:mcq_count_length", {}, MCQ.replace(":", "."), f"**{MCQ}"),
    ("custom:mcq_count_length", {}, MCQ, MCQ.replace("very very very", "so")),
    ("custom:mcq_count_length", {}, MCQ, "Here they are:\n" + MCQ),
    (
        "custom:reverse_newline",
        {},
        f"Here they are:\n\n{COUNTRIES}\n",
        COUNTRIES.replace("Uganda", "A"),
    ),
    ("custom:reverse_newline", {}, COUNTRIES, f"{COUNTRIES}\n\nThese are all."),
    ("custom:reverse_newline", {}, COUNTRIES.replace("\n", "\n- "), "\n".join(COUNTRIES.split("\n")[:50])),
    ("custom:word_reverse", {}, "bird national the is eagle bald The", "The bald eagle is the national bird"),
    ("custom:character_reverse", {}, "drib ruo si elgae dlaB ehT", "The bald eagle"),
    ("custom:sentence_alphabet", {}, ". ".join(ANIMALS), ". ".join(ANIMALS[1:])),
    ("custom:european_capitals_sort", {}, CAPITALS, ", ".join(sorted(CAPITALS.split(", ")))),
    ("custom:european_capitals_sort", {}, CAPITALS + " ,", CAPITALS + "."),
    ("custom:european_capitals_sort", {}, CAPITALS, CAPITALS.replace("Prague", "Kyiv, Prague")),
    ("custom:csv_city", {}, CITIES, CITIES + "\n8,Peru,Lima,2080,8"),
    ("custom:csv_city", {}, CITIES.replace(",Lima", ',"Lima, Peru"'), CITIES.replace(",Count", "")),
    ("custom:csv_special_character", {}, GOODS.format('"T&T"'), GOODS.format('"TT"')),
    ("custom:csv_special_character", {}, GOODS.format('"a, b"'), GOODS.format("T&T")),
    ("custom:csv_quotes", {}, MARKS, MARKS.replace('"a"', "a")),
    ("custom:csv_quotes", {}, MARKS.replace("\t", "\t "), MARKS.replace("\t", ",")),
    ("custom:date_format_list", {}, "1796-05-10, 1815-06-18", "1815-06-31"),
    ("custom:date_format_list", {}, "1815-06-18", "18 June 1815"),
    ("custom:date_format_list", {}, "1796-00-00, 1815-02-29", "1822-01-01"),
    ("custom:csv_city", {}, CITIES + "\n", CITIES.replace("\n", "\n\n", 1)),
    ("custom:csv_special_character", {}, GOODS.format('"a!"').replace(",9\n14,", ",9,9\n14,"), "\n" + GOODS),
    ("custom:sentence_alphabet", {}, ".\n".join(f"({name}" for name in ANIMALS), "1 " + ". ".join(ANIMALS)),
]


def found(name: str, given: dict[str, Any], text: str) -> Verdict:
    return score(text, Sample(id="1", meta={"instruction_id_list": [name], "kwargs": [given]}), None)


@pytest.mark.parametrize(("name", "given", "right", "wrong"), CASES)
def test_an_instruction_is_followed_or_not(name: str, given: dict[str, Any], right: str, wrong: str) -> None:
    assert found(name, given, right).why == ""
    verdict = found(name, given, wrong)
    assert (verdict.score, verdict.extracted) == (0, [name])
    assert verdict.why.removeprefix(f"{name}: ") not in ("", verdict.why)
    assert found(name, given, "\n").why == f"{name}: the answer is empty"


def test_all_58_kinds_are_known_and_tried() -> None:
    assert {name for name, *_ in CASES} == set(RULES)
    assert len(RULES) == 58


def test_kinds_of_ifeval_are_an_error_and_no_pass() -> None:
    with pytest.raises(EvaluationError, match="no rule checks the instruction 'punctuation:no_comma'"):
        found("punctuation:no_comma", {}, "text")


def test_kwargs_of_parquet_are_read() -> None:
    assert found("count:numbers", {"N": 2.0, "word": None, "keyword1": None}, "1 or 2").score == 1


def test_both_levels_of_instructions_have_names_of_their_own() -> None:
    one = Sample(id="1", meta={"instruction_id_list": ["format:no_whitespace"], "kwargs": [{}]})
    names = ["format:no_whitespace", "count:numbers", "words:prime_lengths"]
    three = Sample(id="2", meta={"instruction_id_list": names, "kwargs": [{}, {"N": 1}, {}]})
    verdicts = [score("tea", one, None), score("A tea", three, None)]
    totals = EVALUATORS["ifbench"].totals
    assert totals is not None and totals([one, three], verdicts, None)["inst_level_strict"] == 0.25
    assert [verdict.parts["inst_per_prompt_strict"] for verdict in verdicts] == [1, 0]
    assert evaluator("ifbench").metric == "prompt_level_strict"


@pytest.mark.parametrize("word", ["write", "writes", "writing", "planned", "tried", "carries", "made", "is", "let"])
def test_forms_of_verbs_are_known(word: str) -> None:
    assert is_verb(word)


@pytest.mark.parametrize(
    "word", ["nothing", "speeding-less", "the", "can", "must", "evening", "hundred", "teas", "s", ""]
)
def test_other_words_are_no_verbs(word: str) -> None:
    assert not is_verb(word)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_scored(text: str) -> None:
    kinds = {name: given for name, given, _, _ in CASES}  # what takes the square of the length runs into the time limit
    meta = {"instruction_id_list": list(kinds), "kwargs": list(kinds.values())}
    verdict = score(text[-200_000:], Sample(id="1", meta=meta), None)
    assert verdict.score == 0 and len(verdict.why) < 10_000
