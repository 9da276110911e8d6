"""IFEval: instructions that a program can check (Zhou et al. 2023, Instruction-Following Evaluation for Large Language
Models). Each of the 25 kinds is a function; ids and kwargs are those of the data."""

import json
import re
from typing import Any, Literal

import langdetect

from evaluators.instructions.checking import Rule, totals, unless, verdict
from evaluators.instructions.splitting import WORD, capital_words, sentences
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict

Relation = Literal["at least", "less than"]
OPTIONS = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
FENCES = ("```json", "```Json", "```JSON", "```")
ENDS_OF_A_WORD = frozenset(".,?!'\"")

langdetect.DetectorFactory.seed = 0  # it draws samples of a text; the same text has to have the same language


def related(count: int, relation: Relation, wanted: int, of: str) -> str:
    """What is wrong with a count, nothing where it has the wanted relation."""
    followed = count < wanted if relation == "less than" else count >= wanted
    return unless(followed, f"{count} {of}, not {relation} {wanted}")


def occurrences(text: str, part: str) -> int:
    """How often a text has a part, in whatever case; parts of words count, as they do in the paper's program."""
    return len(re.findall(re.escape(part), text, re.IGNORECASE))


def existence(text: str, keywords: list[str]) -> str:
    missing = [keyword for keyword in keywords if not occurrences(text, keyword)]
    return unless(not missing, f"without {', '.join(missing)}")


def frequency(text: str, keyword: str, relation: Relation, frequency: int) -> str:
    return related(occurrences(text, keyword), relation, frequency, f"times {keyword}")


def forbidden_words(text: str, forbidden_words: list[str]) -> str:
    found = [word for word in forbidden_words if re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)]
    return unless(not found, f"with {', '.join(found)}")


def letter_frequency(text: str, letter: str, let_relation: Relation, let_frequency: int) -> str:
    return related(text.lower().count(letter.lower()), let_relation, let_frequency, f"times {letter}")


def language_of(text: str) -> str:
    """Code of a text's language, nothing where there is none to be found."""
    try:
        return str(langdetect.detect(text))
    except langdetect.LangDetectException:
        return ""


def response_language(text: str, language: str) -> str:
    """A text whose language cannot be found counts as one in the wanted language, as it does in the paper's program."""
    found = language_of(text)
    return unless(found in ("", language), f"in {found}, not {language}")


def number_sentences(text: str, relation: Relation, num_sentences: int) -> str:
    return related(len(sentences(text)), relation, num_sentences, "sentences")


def number_words(text: str, relation: Relation, num_words: int) -> str:
    return related(len(WORD.findall(text)), relation, num_words, "words")


def number_paragraphs(text: str, num_paragraphs: int) -> str:
    """Paragraphs have *** between them, and none but the first and the last may be empty."""
    parts = [part.strip() for part in re.split(r"\s?\*\*\*\s?", text)]
    if not all(parts[1:-1]):
        return "an empty paragraph"
    count = sum(map(bool, parts))
    return unless(count == num_paragraphs, f"{count} paragraphs, not {num_paragraphs}")


def nth_paragraph_first_word(text: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> str:
    """Paragraphs have an empty line between them."""
    parts = [part.strip() for part in text.split("\n\n")]
    count = sum(map(bool, parts))
    if nth_paragraph > count or not parts[nth_paragraph - 1]:
        return f"no paragraph {nth_paragraph}"
    word = beginning(parts[nth_paragraph - 1])
    if count != num_paragraphs:
        return f"{count} paragraphs, not {num_paragraphs}"
    return unless(word == first_word.lower(), f"paragraph {nth_paragraph} begins with {word[:40]}, not {first_word}")


def beginning(paragraph: str) -> str:
    """The first word in lower case, without quotes before it and without what follows a mark of punctuation."""
    word = paragraph.split(None, 1)[0].lstrip("'").lstrip('"').lower()
    end = next((at for at, letter in enumerate(word) if letter in ENDS_OF_A_WORD), len(word))
    return word[:end]


def number_placeholders(text: str, num_placeholders: int) -> str:
    """Placeholders are in square brackets."""
    count = sum(map(brackets, text.split("\n")))
    return related(count, "at least", num_placeholders, "placeholders")


def brackets(line: str) -> int:
    """Pairs of square brackets, one after the other. A search for a pattern would need the square of the time."""
    count = end = 0
    while (start := line.find("[", end)) >= 0 and (end := line.find("]", start) + 1):
        count += 1
    return count


def postscript(text: str, postscript_marker: str) -> str:
    patterns = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
    pattern = patterns.get(postscript_marker, re.escape(postscript_marker.lower()))
    return unless(re.search(pattern, text.lower()) is not None, f"no {postscript_marker}")


def number_bullet_lists(text: str, num_bullets: int) -> str:
    """Bullets are lines that begin with one asterisk, or with a hyphen."""
    lines = [line.lstrip() for line in text.split("\n")]
    count = sum(line.startswith("-") for line in lines) + asterisks(lines)
    return unless(count == num_bullets, f"{count} bullets, not {num_bullets}")


def asterisks(lines: list[str]) -> int:
    """Lines that begin with one asterisk; one that has nothing else is a bullet together with the line behind it."""
    count, alone = 0, False
    for at, line in enumerate(lines):
        bullet = not alone and line[:1] == "*" and line[1:2] != "*" and (line != "*" or at + 1 < len(lines))
        alone = bullet and line == "*"
        count += bullet
    return count


def constrained_response(text: str) -> str:
    return unless(any(option in text for option in OPTIONS), "none of the three answers")


def number_highlighted_sections(text: str, num_highlights: int) -> str:
    """Highlights are *like this* or **like this**, within a line."""
    single = re.findall(r"\*([^\n*]*)\*", text)
    double = re.findall(r"\*\*([^\n*]*)\*\*", text)
    count = sum(bool(part.strip()) for part in [*single, *double])
    return related(count, "at least", num_highlights, "highlights")


def multiple_sections(text: str, section_spliter: str, num_sections: int) -> str:
    count = len(re.findall(rf"{re.escape(section_spliter)}\s?\d+", text))
    return related(count, "at least", num_sections, "sections")


def json_format(text: str) -> str:
    value = text.strip()
    for fence in FENCES:
        value = value.removeprefix(fence)
    try:
        json.loads(value.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return "no JSON"
    return ""


def title(text: str) -> str:
    """A title is in double angular brackets, in one line."""
    return unless(any(map(has_title, text.split("\n"))), "no title in << >>")


def has_title(line: str) -> bool:
    """Whether more than blanks is left of what stands from the first << to the last >> without brackets at its ends."""
    start, end = line.find("<<"), line.rfind(">>")
    return 0 <= start < end - 2 and bool(line[start:end].lstrip("<").rstrip(">").strip())


def two_responses(text: str) -> str:
    """Two different answers with ****** between them."""
    parts = [part.strip() for part in text.split("******")]
    if not all(parts[1:-1]):
        return "an empty answer"
    found = [part for part in parts if part]
    if len(found) != 2:
        return f"{len(found)} answers, not 2"
    return unless(found[0] != found[1], "twice the same answer")


def repeat_prompt(text: str, prompt_to_repeat: str) -> str:
    begins = text.strip().lower().startswith(prompt_to_repeat.strip().lower())
    return unless(begins, "does not begin with the request")


def end_checker(text: str, end_phrase: str) -> str:
    ends = text.strip().strip('"').lower().endswith(end_phrase.strip().lower())
    return unless(ends, f"does not end with {end_phrase.strip()}")


def capital_word_frequency(text: str, capital_relation: Relation, capital_frequency: int) -> str:
    return related(capital_words(text), capital_relation, capital_frequency, "words in capitals")


def english_capital(text: str) -> str:
    return "not all in capitals" if not text.isupper() else response_language(text, "en")


def english_lowercase(text: str) -> str:
    return "not all in lower case" if not text.islower() else response_language(text, "en")


def no_comma(text: str) -> str:
    return unless("," not in text, "with a comma")


def quotation(text: str) -> str:
    value = text.strip()
    return unless(len(value) > 1 and value[0] == value[-1] == '"', "not in double quotes")


RULES: dict[str, Rule] = {
    "keywords:existence": existence,
    "keywords:frequency": frequency,
    "keywords:forbidden_words": forbidden_words,
    "keywords:letter_frequency": letter_frequency,
    "language:response_language": response_language,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
    "startend:end_checker": end_checker,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
    "startend:quotation": quotation,
}


def score(text: str, sample: Sample, settings: Any) -> Verdict:
    """Score 1 where all instructions are followed strictly; see evaluators/instructions/checking.py."""
    return verdict(text, sample, RULES)


EVALUATORS = {
    "ifeval": Evaluator(
        score,
        "Instructions that a program can check, all 25 kinds of IFEval.",
        metric="prompt_level_strict",
        totals=totals,
        empty=True,
    )
}
