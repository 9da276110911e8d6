"""Rules of IFBench (Pyatkin et al. 2025) that belong to one task each: `custom:`."""

import csv
import io
import re
import string
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from evaluators.instructions.checking import Rule, unless
from evaluators.instructions.splitting import PUNCTUATION, bare_words, sentences

MULTIPLES = ["14", "21", "28", "35", "42", "49"]
QUESTIONS, CHOICES = 4, 5
QUESTION = re.compile(r"Question \d+[.|):;]?")
CHOICE = re.compile(r"[a-e][.|)]\s*\w", re.IGNORECASE)
COUNTRIES = 52  # as many lines as the authors' program wants
FIRST_COUNTRY = "Zimbabwe"
# Above 45 degrees north, from north to south, as the data set has them; Kyiv is not among them.
CAPITALS = re.findall(
    r"\w+",
    "Reykjavik Helsinki Oslo Tallinn Stockholm Riga Moscow Copenhagen Vilnius Minsk Dublin Berlin Amsterdam Warsaw "
    "London Brussels Prague Luxembourg Paris Vienna Bratislava Budapest Vaduz Chisinau Bern Ljubljana Zagreb",
)
BEFORE_A_LETTER = string.punctuation + string.whitespace
CITY = ["ID", "Country", "City", "Year", "Count"]
PRODUCT = ["ProductID", "Category", "Brand", "Price", "Stock"]
STUDENT = ["StudentID", "Subject", "Grade", "Semester", "Score"]
YEARS = range(1769, 1822)  # of Napoleon's life
DAYS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # of a month, of the others 31
DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
Rows = list[list[str]]


def multiples(text: str) -> str:
    return unless(re.findall(r"\d+", text) == MULTIPLES, f"the numbers are not {', '.join(MULTIPLES)}")


def mcq_count_length(text: str) -> str:
    """Four questions that begin with that word and a number, of five choices each, each longer than the one before."""
    if not text.startswith("Question"):
        return "does not begin with a question"
    parts = [part.strip() for part in QUESTION.split(text) if part.strip()]
    if len(parts) != QUESTIONS:
        return f"{len(parts)} questions, not {QUESTIONS}"
    lines = [[line.strip() for line in part.split("\n")] for part in parts]
    if any(len(choices(part)) != CHOICES for part in lines):
        return f"a question without {CHOICES} choices"
    lengths = [len(" ".join(part[: choices(part)[0]]).strip()) for part in lines]
    grow = all(before < after for before, after in pairwise(lengths))
    return unless(grow, f"questions of {', '.join(map(str, lengths))} characters")


def choices(lines: Sequence[str]) -> list[int]:
    """Which lines are choices."""
    return [at for at, line in enumerate(lines) if CHOICE.match(line)]


def ascii_only(text: str) -> str:
    """A text without accents, and without letters that ASCII has not."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def reverse_newline(text: str) -> str:
    """The countries of Africa from Z to A, a line each, as many as the authors' program wants, to the end of the
    text; what stands before the first of them does not count."""
    lines = [name for line in text.split("\n") if (name := line.strip(PUNCTUATION))]
    first = next((at for at, line in enumerate(lines) if FIRST_COUNTRY in line), len(lines))
    found = list(map(ascii_only, lines[first:]))
    if len(found) < COUNTRIES:
        return f"{len(found)} lines from {FIRST_COUNTRY} on, not at least {COUNTRIES}"
    return unless(found == sorted(found, reverse=True), "not in reverse order")


def word_reverse(text: str) -> str:
    """The bald eagle, word by word from the end."""
    words = " ".join(reversed(bare_words(text)))
    return unless("bald eagle" in words, "no sentence about the bald eagle from its last word to its first")


def character_reverse(text: str) -> str:
    """The bald eagle, letter by letter from the end."""
    return unless("elgae dlab" in text.lower(), "no sentence about the bald eagle from its last letter to its first")


def sentence_alphabet(text: str) -> str:
    firsts = "".join(sentence.lstrip(BEFORE_A_LETTER)[:1].lower() or "-" for sentence in sentences(text))
    return unless(firsts == string.ascii_lowercase, f"sentences begin with {firsts[:40]}")


def european_capitals_sort(text: str) -> str:
    names = [name.strip() for name in ascii_only(text).split(",")]
    return unless(list(filter(None, names)) == CAPITALS, "not the capitals from north to south")


def table(text: str, delimiter: str) -> Rows:
    """The rows of a table with the quotes around its fields, empty lines too; none where it is no CSV."""
    try:
        return list(csv.reader(io.StringIO(text.replace('"', '"""')), delimiter=delimiter))
    except csv.Error:
        return []


def size(found: Rows, rows: int, columns: int) -> str:
    """What is wrong with the number of rows below the first, or with one of their lengths."""
    if len(found) != rows + 1:
        return f"{max(0, len(found) - 1)} rows, not {rows}"
    return unless(all(len(row) == columns for row in found[1:]), f"a row without {columns} fields")


def heading(text: str, columns: Sequence[str], between: str) -> str:
    """What is wrong with the first line of a table, whose names may have quotes."""
    names = between.join(f'({name}|"{name}")' for name in columns)
    there = re.fullmatch(names, text.partition("\n")[0].strip())
    return unless(there is not None, f"the first line is not {', '.join(columns)}")


def csv_city(text: str) -> str:
    try:
        found = list(csv.reader(io.StringIO(text)))
    except csv.Error:
        return "no CSV"
    return size(found, 7, len(CITY)) or unless(found[0] == CITY, f"the first line is not {', '.join(CITY)}")


def csv_special_character(text: str) -> str:
    """A field in double quotes has a special character in it, such as a comma. Rows below it may be of any length."""
    found = table(text, ",")
    at = next((at for at, row in enumerate(found) if at and any(map(is_special, row))), 0)
    if not at:
        return "no special character in quotes"
    wrong = size(found, 14, len(PRODUCT)) if len(found) != 15 else ""
    short = any(len(row) != len(PRODUCT) for row in found[1 : at + 1])
    return heading(text, PRODUCT, r",[ \t]*") or wrong or unless(not short, f"a row without {len(PRODUCT)} fields")


def is_special(field: str) -> bool:
    """Whether a field begins with a quote, and something beside letters, figures and blanks comes before the next."""
    line = field.partition("\n")[0]
    return line[:1] == '"' and re.search(r"[^\w\s]", line[1 : max(1, line.rfind('"'))]) is not None


def csv_quotes(text: str) -> str:
    """Fields with tabs between them, each in double quotes."""
    found = table(text, "\t")
    fields = [field.strip() for row in found for field in row]
    bare = sum(not field[:1] == field[-1:] == '"' for field in fields)
    wrong = heading(text, STUDENT, r"\t *") or size(found, 3, len(STUDENT))
    return wrong or unless(not bare and len(found[0]) == len(STUDENT), f"{bare} fields without quotes")


def date_format_list(text: str) -> str:
    """Days of Napoleon's life as YYYY-MM-DD with commas between them."""
    wrong = [part.strip() for part in text.split(",") if not is_day(part.strip())]
    return unless(not wrong, f"{wrong[0][:40]} is no day of {YEARS[0]} to {YEARS[-1]} as YYYY-MM-DD" if wrong else "")


def is_day(text: str) -> bool:
    """Whether a text is a day; a month and a day of 00 are let pass, as the authors' program does."""
    found = DAY.fullmatch(text)
    if found is None:
        return False
    year, month, day = map(int, found.groups())
    return year in YEARS and month <= 12 and day <= DAYS.get(month, 31 if month else 99)


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
