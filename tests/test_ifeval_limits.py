"""IFEval at its limits: for each kind a text that just follows the instruction, and one that just does not.

The verdicts are those of the authors' program, read from its definition (Zhou et al. 2023).
"""

from typing import Any

import pytest

from evaluators.ifeval import RULES
from tests.obedient import ENGLISH, LANGUAGES

LEAST, LESS = {"relation": "at least"}, {"relation": "less than"}
PART = {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Tea"}
E = {"letter": "e", "let_frequency": 3}
PROMPT = {"prompt_to_repeat": "Write a haiku. Use no commas."}
Pairs = dict[tuple[str, str], tuple[dict[str, Any], list[tuple[str, str]]]]
# Of each kind what it is given, and pairs of texts: one that follows, one that does not.
PAIRS: Pairs = {
    ("keywords:existence", ""): (
        {"keywords": ["tea", "milk tea"]},
        [("A TEAPOT, milk tea", "A TEAPOT, milk  tea"), ("steam, Milk tea", "milk\ntea")],
    ),
    ("keywords:frequency", "at least"): (
        {"keyword": "tea", "frequency": 2, **LEAST},
        [
            ("tea-tea", "tea-te"),
            ("Tea_TEA", "Tea t e a"),
            ("teatea", "teat"),
            ("```tea``` steam", "te\u00e1 tea"),
        ],
    ),
    ("keywords:frequency", "less than"): ({"keyword": "tea", "frequency": 2, **LESS}, [("tea", "tea, instead")]),
    ("keywords:forbidden_words", ""): (
        {"forbidden_words": ["tea", "so it"]},
        [("teas, team", "tea's"), ("tea_", "tea-"), ("so  it", "SO IT"), ("téa", "(Tea)"), ("tea1", "tea.")],
    ),
    ("keywords:letter_frequency", "at least"): (
        {**E, "let_relation": "at least"},
        [("Eve e", "Eve é"), ("EEE", "EE"), ("`e` e\ne", "`e` e\n")],
    ),
    ("keywords:letter_frequency", "less than"): ({**E, "let_relation": "less than"}, [("Eve", "Eve, eh"), ("", "eee")]),
    ("language:response_language", ""): (
        {"language": "de"},
        [
            (LANGUAGES["de"], LANGUAGES["sw"]),
            ("12 + 34 = 46", ENGLISH),
            (f"```\n{LANGUAGES['de']}\n```", LANGUAGES["fi"]),
        ],
    ),
    ("length_constraints:number_sentences", "at least"): (
        {"num_sentences": 2, **LEAST},
        [("One. Two", "One, two"), ("Is it? Yes!", "Is it, yes!"), ("He left. She stayed.", "3.5")],
    ),
    ("length_constraints:number_sentences", "less than"): ({"num_sentences": 2, **LESS}, [("One.", "One. Two.")]),
    ("length_constraints:number_words", "at least"): (
        {"num_words": 3, **LEAST},
        [
            ("don't go", "dont go"),
            ("a-b c", "a_b c"),
            ("3.5 cups", "35 cups"),
            ("你 好 吗", "你好吗"),
            ("* a *b* c", "* a *b*"),
        ],
    ),
    ("length_constraints:number_words", "less than"): (
        {"num_words": 3, **LESS},
        [("two words", "it's two"), ("dash — dash", "dash — dash —x"), ("ab_cd e", "ab cd e")],
    ),
    ("length_constraints:number_paragraphs", ""): (
        {"num_paragraphs": 2},
        [
            ("a\n***\nb", "a\n\nb"),
            ("a***b", "a**b"),
            ("***a***b***", "a***b***c"),
            ("a\n***\nb\n***\n", "a\n***\n***\nb"),
            ("a\n****\nb", "a\n******\nb"),  # of four asterisks one is left in b; of six there is an empty paragraph
        ],
    ),
    ("length_constraints:nth_paragraph_first_word", ""): (
        PART,
        [
            ("One.\n\nTEA, please", "One.\n\nTeapot"),
            ('One.\n\n\'"tea" is', "One.\n\n\"'tea' is"),  # single quotes are taken off first
            ("One.\n\n  Tea's", "One.\n\n*Tea*"),
            ("One.\n\ntea!x", "One.\n\ntea-x"),
            ("One.\n\ntea\n\n", "One.\n\n\n\ntea"),  # the second one is empty
            ("One.\n\n tea \n\n \n", "One.\n\ntea\n\nThree"),
            ("One.\n\nTea.", "One.\n \nTea."),
        ],
    ),
    ("detectable_content:number_placeholders", ""): (
        {"num_placeholders": 2},
        [("[a][b]", "[a] b]"), ("[] [ ]", "[[a]]"), ("[a](b) [c]", "[a\nb] [c]"), ("[a [b] [c]", "[a [b c]")],
    ),
    ("detectable_content:postscript", "P.S."): (
        {"postscript_marker": "P.S."},
        [
            ("p.s. so", "PS. so"),
            ("P. S.", "P.  S."),
            ("so P.S.", "so P.S"),
            ("P.\nS.", "P.\n\nS."),
            ("P.P.S.", "P.P. s"),
        ],
    ),
    ("detectable_content:postscript", "P.P.S"): (
        {"postscript_marker": "P.P.S"},
        [("P.P.S so", "P.S. so"), ("p. p. s", "p p s"), ("P.P.So", "PP.S")],
    ),
    ("detectable_format:number_bullet_lists", ""): (
        {"num_bullets": 2},
        [
            ("* a\n* b", "* a\n+ b"),
            ("  - a\n\t*b", "- a\n**b**"),
            ("- a\n-", "- a\n\u2022 b"),
            ("- a\n---", "- a\n***"),
            ("*a* is so\n* b", "so *a*\n* b"),
            ("* a\n*\nb", "* a\n*"),  # alone on its line it goes with the line behind it
            ("*\n* a\n* b", "*\n* a"),
            ("```\n- a\n```\n- b", "```\n- a\n```\n1. b"),
        ],
    ),
    ("detectable_format:constrained_response", ""): (
        {},
        [
            ("My answer is maybe.", "My answer is maybe"),
            ("**My answer is no.**", "My answer is **no**."),
            ("I say: My answer is yes. So", "my answer is yes."),
            ('"My answer is no."', "My answer is  no."),
        ],
    ),
    ("detectable_format:number_highlighted_sections", ""): (
        {"num_highlights": 2},
        [
            ("*a* *b*", "*a* b*"),
            ("**a** and *b*", "**a** and _b_"),
            ("*a*b*c*", "*a*b"),
            ("***a***", "**a**"),  # three asterisks are one single and one double highlight
            ("*a*\n*b*", "*a*\n*b\n*"),
            ("** a ** *b*", "** ** *b*"),
        ],
    ),
    ("detectable_format:multiple_sections", ""): (
        {"section_spliter": "SECTION", "num_sections": 2},
        [
            ("SECTION 1 a SECTION 2", "SECTION 1 a Section 2"),
            ("SECTION1SECTION2", "SECTION1SECTION"),
            ("SECTION\n1\nSECTION 1", "SECTION  1\nSECTION 2"),
            ("**SECTION 10** **SECTION 9**", "SECTION 10 SECTION X"),
            ("SECTION ٣ SECTION 4", "SECTION III SECTION 4"),  # a figure of any script
        ],
    ),
    ("detectable_format:json_format", ""): (
        {},
        [
            ('{"a": 1}', "{'a': 1}"),
            ("3", "three"),
            ("```json\n[]\n```", "```jsonc\n[]\n```"),
            ("```\n{}\n```\n", "```\n{}\n```\nSo."),
            ('```JSON{"茶": null}```', "{}\n{}"),
            ("```{}", "~~~{}"),
            ("NaN", "nan"),  # Python's reader takes NaN
            ('"a"', '"a",'),
        ],
    ),
    ("detectable_format:title", ""): (
        {},
        [
            ("<<Tea>>", "<<Tea>"),
            ("**<<a>>**", "**<a>**"),
            ("<<\u00a0a>>", "<<\u00a0>>"),
            ("<< >< >>", "<<<>>>"),
            ("<<a>> >>", "<<>>"),
            ("<<a\n<<b>>", "<<a\n>>"),
            ("<<<a>>>", "<< >>"),
        ],
    ),
    ("combination:two_responses", ""): (
        {},
        [
            ("a\n******\nb", "a\n*****\nb"),
            ("a******b", "a******a"),
            ("******a******b******", "a******b******c"),
            ("a\n*******\nb", "a\n************\nb"),
            ("a\n******\nA", " a\n******\na "),
        ],
    ),
    ("combination:repeat_prompt", ""): (
        PROMPT,
        [
            ("\n write a haiku. use no commas.", "Write a haiku. Use no commas"),
            ("Write a haiku. Use no commas.\nSnow", '"Write a haiku. Use no commas."\nSnow'),
            ("WRITE A HAIKU. USE NO COMMAS.Snow", "Write a haiku.\nUse no commas."),
        ],
    ),
    ("startend:end_checker", ""): (
        {"end_phrase": " Peace! "},
        [
            ("So. PEACE!", "So. Peace"),
            ('"So. Peace!""\n', "So. Peace!."),
            ("Apeace!", "Peace! :)"),
            ("peace! \n\n", "\u201cPeace!\u201d"),
            ("```\nPeace!", "```\nPeace!\n```"),
        ],
    ),
    ("change_case:capital_word_frequency", "at least"): (
        {"capital_frequency": 2, "capital_relation": "at least"},
        [
            ("I SEE", "I See"),
            ("CAN'T", "CANT"),
            ("CANNOT", "CANN0T"),
            ("A/B C", "A/B c"),
            ("WELL...NO", "WELL.NO"),
            ("ÉTÉ, ÑU", "été, ÑU"),
            ("3D B2B", "3D 42"),
            ("NO! YES", "NO! 好"),
        ],
    ),
    ("change_case:capital_word_frequency", "less than"): (
        {"capital_frequency": 2, "capital_relation": "less than"},
        [("U.S.", "U.S. A"), ("A-B", "A--B"), ("X_Y", "X@Y"), ("GO 'til 5", "DON'T.")],
    ),
    ("change_case:english_capital", ""): (
        {},
        [(ENGLISH.upper(), ENGLISH.upper() + " b"), (f"{ENGLISH.upper()} 3!", LANGUAGES["ru"].upper())],
    ),
    ("change_case:english_lowercase", ""): (
        {},
        [(ENGLISH, ENGLISH + " I"), (f"* {ENGLISH}: 3!", LANGUAGES["it"].lower()), (ENGLISH, "123")],
    ),
    ("punctuation:no_comma", ""): (
        {},
        [("a; b", "a, b"), ("1\uff0c000\u060c \u3001", "1,000"), ("a\u201a b", "```\nf(a,b)\n```")],
    ),
    ("startend:quotation", ""): (
        {},
        [('"a"', "'a'"), ('\n "a" said "b" ', '"a" said b'), ('""', '"'), ('"a."', '"a".'), ('"`a`"', "\u201ca\u201d")],
    ),
}
CASES = [
    (name, given, text, followed)
    for (name, _), (given, pairs) in PAIRS.items()
    for pair in pairs
    for text, followed in zip(pair, (True, False), strict=True)
]


@pytest.mark.parametrize(("name", "given", "text", "followed"), CASES)
def test_a_text_at_the_limit_is_on_its_right_side(name: str, given: dict[str, Any], text: str, followed: bool) -> None:
    said = RULES[name](text, **given)
    assert (said == "") is followed, said


def test_each_kind_has_pairs_at_its_limit() -> None:
    assert {name for name, _ in PAIRS} == set(RULES)
