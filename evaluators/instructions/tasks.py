"""Rules of IFBench (Pyatkin et al. 2025) that belong to one task each: `custom:`."""

import csv
import datetime
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from evaluators.instructions.checking import Rule, unless
from evaluators.instructions.splitting import plain_words, sentences, spelled_words

MULTIPLES = [14, 21, 28, 35, 42, 49]
QUESTIONS, CHOICES = 4, 5
QUESTION = re.compile(r"^[^\w\n]*question\b", re.IGNORECASE | re.MULTILINE)
CHOICE = re.compile(r"^[^\w\n]*[a-e][^\w\n]*[.):]", re.IGNORECASE | re.MULTILINE)
COUNTRIES = 52  # as many lines as the authors' program wants
ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*\u2022])\s*")
FIRST_COUNTRY, LAST_COUNTRY = "zimbabwe", "algeria"
# Above 45 degrees north, from north to south, as the data set has them; Kyiv, which it lacks, may stand in its place.
CAPITALS = re.findall(
    r"\w+",
    "reykjavik helsinki oslo tallinn stockholm riga moscow copenhagen vilnius minsk dublin berlin amsterdam warsaw "
    "london brussels prague luxembourg paris vienna bratislava budapest vaduz chisinau bern ljubljana zagreb",
)
KYIV = ("kyiv", "kiev")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
QUOTED = re.compile(r'"[^"\n]*[^\w\s"][^"\n]*"')
CITY = ["ID", "Country", "City", "Year", "Count"]
PRODUCT = ["ProductID", "Category", "Brand", "Price", "Stock"]
STUDENT = ["StudentID", "Subject", "Grade", "Semester", "Score"]


def multiples(text: str) -> str:
    found = [int(number) for number in re.findall(r"(?<!\d)\d{1,9}(?!\d)", text)]
    return unless(found == MULTIPLES, f"the numbers are not {', '.join(map(str, MULTIPLES))}")


def mcq_count_length(text: str) -> str:
    """Four questions that begin with that word, of five choices each, and each question longer than the one before."""
    before, *parts = QUESTION.split(text)
    if before.strip():
        return "does not begin with a question"
    if len(parts) != QUESTIONS:
        return f"{len(parts)} questions, not {QUESTIONS}"
    if any(len(CHOICE.findall(part)) != CHOICES for part in parts):
        return f"a question without {CHOICES} choices"
    lengths = [len(CHOICE.split(part, 1)[0].strip()) for part in parts]
    grow = all(before < after for before, after in pairwise(lengths))
    return unless(grow, f"questions of {', '.join(map(str, lengths))} characters")


def latin(text: str) -> str:
    """A text in lower case without accents."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in parts if not unicodedata.combining(letter)).lower().strip()


def reverse_newline(text: str) -> str:
    """The countries of Africa from Z to A, a line each, as many as the authors' program wants. What stands before the
    first of them and behind the last does not count."""
    lines = [name for line in text.split("\n") if (name := latin(ITEM.sub("", line)))]
    first = next((at for at, line in enumerate(lines) if line.startswith(FIRST_COUNTRY)), len(lines))
    last = next((at + 1 for at, line in enumerate(lines) if line.startswith(LAST_COUNTRY)), len(lines))
    found = lines[first:last]
    if len(found) < COUNTRIES:
        return f"{len(found)} lines from Zimbabwe on, not at least {COUNTRIES}"
    return unless(found == sorted(found, reverse=True), "not in reverse order")


def word_reverse(text: str) -> str:
    """The bald eagle, word by word from the end."""
    words = " ".join(reversed(plain_words(text)))
    return unless("bald eagle" in words, "no sentence about the bald eagle from its last word to its first")


def character_reverse(text: str) -> str:
    """The bald eagle, letter by letter from the end."""
    return unless("elgae dlab" in text.lower(), "no sentence about the bald eagle from its last letter to its first")


def sentence_alphabet(text: str) -> str:
    firsts = "".join((spelled_words(sentence) or ["-"])[0][0] for sentence in sentences(text))
    return unless(firsts == LETTERS, f"sentences begin with {firsts[:40]}")


def european_capitals_sort(text: str) -> str:
    names = [latin(name).strip(" .*\"'") for name in text.split(",")]
    without = [name for name in names if name not in KYIV]
    in_place = all(names[at - 1 : at + 2 : 2] == ["brussels", "prague"] for at in places(names, KYIV))
    return unless(without == CAPITALS and in_place, "not the capitals from north to south")


def places(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    return [at for at, name in enumerate(names) if name in wanted]


def table(text: str, columns: Sequence[str], rows: int, delimiter: str) -> str:
    """What is wrong with a table of so many rows below the names of its columns."""
    try:
        found = [row for row in csv.reader(text.strip().split("\n"), delimiter=delimiter, skipinitialspace=True) if row]
    except csv.Error:
        return "no CSV"
    if not found or [name.strip() for name in found[0]] != columns:
        return f"the first line is not {delimiter.join(columns)}"
    if any(len(row) != len(columns) for row in found):
        return f"a row without {len(columns)} fields"
    return unless(len(found) - 1 == rows, f"{len(found) - 1} rows, not {rows}")


def csv_city(text: str) -> str:
    return table(text, CITY, 7, ",")


def csv_special_character(text: str) -> str:
    """A field in double quotes has a special character in it, such as a comma."""
    return table(text, PRODUCT, 14, ",") or unless(QUOTED.search(text) is not None, "no special character in quotes")


def csv_quotes(text: str) -> str:
    """Fields with tabs between them, each in double quotes."""
    fields = [field.strip() for line in text.strip().split("\n") for field in line.split("\t")]
    bare = [field for field in fields if len(field) < 2 or not field[0] == field[-1] == '"']
    return table(text, STUDENT, 3, "\t") or unless(not bare, f"{len(bare)} fields without quotes")


def date_format_list(text: str) -> str:
    """Days as YYYY-MM-DD with commas between them."""
    wrong = [part.strip() for part in text.split(",") if not is_day(part.strip())]
    return unless(not wrong, f"{wrong[0][:40]} is no day as YYYY-MM-DD" if wrong else "")


def is_day(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


RULES: dict[str, Rule] = {
    "custom:multiples": multiples,
    "custom:mcq_count_length": mcq_count_length,
    "custom:reverse_newline": reverse_newline,
    "custom:word_reverse": word_reverse,
    "custom:character_reverse": character_reverse,
    "custom:sentence_alphabet": sentence_alphabet,
    "custom:european_capitals_sort": european_capitals_sort,
    "custom:csv_city": csv_city,
    "custom:csv_special_character": csv_special_character,
    "custom:csv_quotes": csv_quotes,
    "custom:date_format_list": date_format_list,
}
