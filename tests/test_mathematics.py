"""The evaluator `math`: which formula of an answer counts, what it means, and what hostile formulas do."""

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies

from benchmarks import math_scoring
from evaluators.errors import EvaluationError
from evaluators.formulas import apart
from evaluators.formulas.apart import TooHardError
from evaluators.formulas.latex import last_box, normal
from evaluators.mathematics import Math, find, reference, score
from evaluators.sample import Sample, Verdict
from perfcore.workload import registry
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "tests" / "data" / "datasets"
LARGE = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True, scope="module")
def no_process_is_left() -> Iterator[None]:
    yield
    apart.end()


def verdict(text: str, wanted: Any, **args: Any) -> Verdict:
    return score(text, Sample(id="1", reference=wanted), Math(**args))


def same(wanted: str, given: str) -> bool:
    return verdict(f"So it is \\boxed{{{given}}}.", wanted).score == 1.0


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def math500() -> list[dict[str, Any]]:
    if not LARGE.is_dir():
        pytest.skip(f"the data sets are not in {LARGE}")
    return rows(LARGE / "math500" / "test.jsonl")


def said(answer: str) -> Iterator[str]:
    """Ways to give an answer."""
    yield from (answer, f"So it is \\boxed{{{answer}}}.", f"Work.\n#### {answer}", f"The answer is {answer}.")
    yield f"Final Answer: The final answer is ${answer}$. I hope it is correct."
    yield f"With $n = 12$ we get\n\\[ {answer} \\]"
    yield f"**Answer:** ${answer}$"


RIGHT = r"""
5|x = 5
x=5|5
5|x = 2 + 3 = 5
y = 2x + 3|2x+3
y = 2x + 3|y=3+2x
y=2x+3|2x - y + 3 = 0
5x - 7y + 11z + 4 = 0|-5x+7y-11z-4=0
58,500|58500
58500|58,500 \text{ dollars}
58500|x = 58{,}500
58500|\text{58,500}
58500|9 \cdot 6500 = 58,500
1058500|1,058,500 people
10,\!080|10{,}080
1000|1,000
11,\! 111,\! 111,\! 100|11111111100
\$18.90|18.9
\$36|36 \text{ dollars}
\frac14|0.25
\frac 34|3/4
\frac9{19}|\dfrac{9}{19}
\frac{1}{3}|0.333333
1\frac{4}{5}|\frac{9}{5}
137 \frac{1}{2}|137.5
50\%|50
50\%|0.5
\frac12|50\%
15\mbox{ cm}^2|15
15\mbox{ cm}^2|15 \text{ square centimeters}
5.4 \text{ cents}|5.4
864 \mbox{ inches}^2|864 in^2
36|36 hexagons
30^\circ|30
30^\circ|30 \text{ degrees}
90^\circ|90°
\frac{270}7\text{ degrees}|\frac{270}{7}^\circ
\text{Evelyn}|Evelyn
\text{east}|East.
\text{June 20}|june 20
\text{(B)}|B
\text{(B)}|(B)
\text{(C)}|C. ellipse
(3,4]|(3, 4]
(2,\infty)|x>2
(2,\infty)|2 < x
[-2,7]|-2 \le x \le 7
x \in [-2,7]|[-2,7]
(-\infty, 2) \cup (3, \infty)|x<2 \text{ or } x>3
(-\infty,\infty)|\mathbb{R}
(2,12) \cup (12,102)|(12,102)\cup(2,12)
\{1\pm\sqrt{5},-2\}|\{-2, 1+\sqrt5, 1-\sqrt5\}
3 \pm 2 \sqrt{2}|3-2\sqrt2 and 3+2\sqrt2
3, 5, 7|7, 5, 3
1,-2|-2 and 1
-2,1|\{1,-2\}
2, 3|x = 2 \text{ or } x = 3
(1,2)|1, 2
\left( 3, \frac{\pi}{2} \right)|(3, \pi/2)
\begin{pmatrix} 1/5 \\ -18/5 \end{pmatrix}|\begin{bmatrix} 0.2 \\ -3.6 \end{bmatrix}
\begin{pmatrix} -7 \\ 16 \\ 5 \end{pmatrix}|(-7,16,5)
2516_8|2516
2516_8|2516_{8}
\frac{\sqrt{3}}{3}|\frac{1}{\sqrt{3}}
11\sqrt2|11\sqrt{2}
\sqrt{5}|sqrt(5)
2\sqrt{5}|\sqrt{20}
\frac{11+9a}{20}|\frac{9a+11}{20}
(a+5)(b+2)|ab + 2a + 5b + 10
18+2\pi|2(9+\pi)
12\pi|12π
6+9i|9i+6
\cot x|\frac{\cos x}{\sin x}
.0000672|6.72 \times 10^{-5}
\frac{20000}{\pi}|20000/\pi
x^3+3x-6|x^{3} + 3x - 6
-\frac{3}{8}|\frac{3}{-8}
\emptyset|\varnothing
\infty|+\infty
\frac{639}{40}|15\frac{39}{40}
"""
WRONG = r"""
5|y+5
x=5|y=5
5|-5
5|55
1000|1
1234|234
(1,0)|1,000
(1,200)|1200
1234|x=1, 234
1234|x \in \{1,234\}
58500|58,501 \text{ dollars}
100200|200,100
\frac12|\frac13
\frac13|0.33
\pi|3.14
0.0000672|0.0000671
1234567|1234568
50\%|0.05
50|0.5
15\mbox{ cm}^2|15 \text{ cm}^3
5.4 \text{ cents}|5.4 \text{ dollars}
5 \text{ m}|5 \text{ cm}
30^\circ|60
\frac{\pi}{6}|30
\text{Evelyn}|Evan
\text{(B)}|A
\text{(B)}|Because
(3,4]|(3,4)
(2,\infty)|x \ge 2
[-2,7]|-2 < x \le 7
(-\infty, 2) \cup (3, \infty)|(-\infty,2)
\{1\pm\sqrt{5},-2\}|\{1\pm\sqrt{5}\}
3 \pm 2 \sqrt{2}|3+2\sqrt{2}
3, 5, 7|3, 5
3, 5, 7|3, 5, 8
(1,2)|(2,1)
(1,2)|2,1
(1,2)|[1,2]
\{1,2\}|(1,2)
5, 6|5
3|3 \text{ or } 4
\begin{pmatrix} -7 \\ 16 \\ 5 \end{pmatrix}|\begin{pmatrix} -7 & 16 & 5 \end{pmatrix}
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}|\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}
2516_8|2516_7
2516_8|1358
\sqrt{51}|7.14
6+9i|6-9i
2x|2y
y = 2x+3|y=2x-3
1+2\sqrt{3}|1-2\sqrt{3}
\infty|-\infty
2^{10}|210
"""


def pairs(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.strip().splitlines()]


@pytest.mark.parametrize(("wanted", "given"), pairs(RIGHT))
def test_answers_that_mean_the_same_are_right(wanted: str, given: str) -> None:
    assert same(wanted, given)


@pytest.mark.parametrize(("wanted", "given"), pairs(WRONG))
def test_answers_that_mean_something_else_are_wrong(wanted: str, given: str) -> None:
    assert not same(wanted, given)


@pytest.mark.parametrize(
    ("text", "extracted", "rule"),
    [
        (r"\boxed{1} or rather \boxed{\frac{1}{2}}, yes", r"\frac{1}{2}", "boxed"),
        (r"So \boxed{1} and $\boxed{2}$.", "1, 2", "boxed"),
        (r"\fbox{7}", "7", "boxed"),
        (r"\boxed 5", "5", "boxed"),
        (r"\boxed{x = \boxed{5}}", r"x = \boxed{5}", "boxed"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}", "boxed"),
        (r"First \boxed{5}. Then \boxed{\frac{1", "5", "boxed"),
        ("I guess $\\boxed{99}$, but no.\n\n**Answer:** 42", "42", "boxed"),
        ("Thus \\boxed{42}.\nAnswer: see above", "42", "boxed"),
        ("Thus \\boxed{42}.\nAnswer: C", "42", "boxed"),
        ("Final Answer: The final answer is $x^2$. I hope it is correct.", "x^2", "final answer"),
        ("The answer is 3. Wait. The answer is $7$, not $3$.", "7", "answer is"),
        ("The answers are $1$ and $2$.", "1, 2", "answer is"),
        ("The answer is 18 because she sells 9 eggs for 2 dollars", "18", "answer is"),
        ("**Answer:** $\\frac12$\nSince 2 is even.", "\\frac12", "answer is"),
        ("9 + 9\n#### 1,234", "1,234", "####"),
        ("It costs $5 and $6, so we get $11x$ in all.", "11x", "last formula"),
        ("It costs $5 and $6 in all.", "$6", "last number"),
        ("x = 5", "x = 5", "whole text"),
    ],
)
def test_rules_are_tried_in_their_order_and_named(text: str, extracted: str, rule: str) -> None:
    assert find(text) == (extracted, rule)


@pytest.mark.parametrize(
    ("wanted", "given", "why"),
    [
        ("x+1", "x + 1", "equal as text"),
        ("0.5", "\\frac12", "equal as numbers"),
        ("x+1", "1+x", "equivalent (sympy)"),
        ("x+1", "x+2", "different from x+1"),
        ("5", "5" * 2000, "longer than 1000 characters"),
    ],
)
def test_a_verdict_says_why(wanted: str, given: str, why: str) -> None:
    assert verdict(f"\\boxed{{{given}}}", wanted).why == why


def test_an_answer_that_is_not_there_is_wrong_and_says_so() -> None:
    found = verdict("I do not know what to say about this question at all", "5")
    assert (found.score, found.extracted) == (0.0, None) and "no answer" in found.why


@pytest.mark.parametrize("wanted", [None, "", "  ", True])
def test_an_empty_reference_is_an_error_of_the_sample(wanted: Any) -> None:
    with pytest.raises(EvaluationError, match="the reference is"):
        verdict("5", wanted)


def test_the_reference_may_be_a_number_or_a_worked_solution() -> None:
    assert reference(204) == "204"
    assert reference("Since $1+1=2$, we have $\\boxed{2}$.") == "2"
    assert reference("1 + 1 = 2\n#### 2") == "2"


@pytest.mark.parametrize(
    "formula",
    ["9^{9^{9^9}}", "10^{10^{10}}", "1000000000!", "(" * 400 + ")" * 400, "\\frac{1}{" * 90 + "2" + "}" * 90],
    ids=lambda formula: formula[:12],
)
def test_a_formula_that_takes_too_long_is_an_error_of_the_sample(formula: str) -> None:
    with pytest.raises(TooHardError, match=r"took longer than 0.3 s|took more memory|nested|ended the process"):
        verdict(f"\\boxed{{{formula}}}", "x+1", seconds=0.3)
    assert same("x+1", "1+x")


@pytest.mark.parametrize(
    "formula",
    [
        "\\frac{1}{0}",
        "10**10**10",
        "1e999999999",
        "\\ud800",
        "\x00",
        "\\cup" * 100,
        "\\pm 1" * 100,
        "x," * 400,
        "}{",
        "\\",
    ],
    ids=lambda formula: repr(formula[:12]),
)
def test_an_odd_formula_is_wrong_and_no_error(formula: str) -> None:
    assert verdict(f"\\boxed{{{formula}}}", "x+1").score == 0.0


@pytest.mark.parametrize(
    "text",
    [
        *("{" * 100_000, "\\boxed{" * 15_000, "\\boxed{" * 9000 + "}" * 9000, "\\boxed{5} " * 10_000, "$a " * 33_000),
        *(
            "\\(" * 50_000,
            "\\[" * 50_000,
            "answer is " * 10_000,
            "answer" + " " * 100_000,
            "11," * 33_000,
            "**" * 50_000,
        ),
    ],
    ids=lambda text: repr(text[:12]),
)
@pytest.mark.timeout(20)
def test_long_hostile_answers_take_no_long_time(text: str) -> None:
    verdict(text, "5", seconds=0.5)


@pytest.mark.parametrize("wanted", ["x+1", "f(y)"])
@pytest.mark.parametrize("form", ["{}", "x_{{{}}}", "\\text{{{}}}", "\\operatorname{{{}}}(2)", "\\mathrm{{{}}}^2"])
def test_no_python_in_an_answer_is_run(tmp_path: Path, form: str, wanted: str) -> None:
    code = f"__import__('pathlib').Path('{tmp_path}/run').touch()"
    verdict("\\boxed{" + form.format(code) + "}", wanted)
    assert not (tmp_path / "run").exists()


def test_the_process_that_compares_formulas_refuses_to_run_text_and_to_write_files(tmp_path: Path) -> None:
    script = f"""
import sympy
from evaluators.formulas import algebra
algebra.confine()
for attempt in (lambda: eval("1 + 1"), lambda: sympy.sympify("1 + x"), lambda: __import__("os").system("true"),
                lambda: open({str(tmp_path / "file")!r}, "w").write("x")):
    try:
        attempt()
    except (PermissionError, OSError, sympy.SympifyError) as error:
        print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.split() == ["PermissionError", "SympifyError", "PermissionError", "PermissionError"], done.stderr
    assert not (tmp_path / "file").exists()


def test_formulas_are_compared_in_any_thread() -> None:
    found: list[bool] = []
    threads = [threading.Thread(target=lambda n=n: found.append(same("x+1", f"1+x+{n}-{n}"))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


def test_a_process_that_is_forked_has_a_process_of_its_own() -> None:
    assert same("x+2", "2+x")
    child = os.fork()
    if child == 0:
        right = same("x+3", "3+x")
        apart.end()
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert same("x+4", "4+x")


@settings(max_examples=100, deadline=None)
@given(strategies.text(alphabet="0123456789.,()[]{}\\|/^_=<>$ %xabfrac pmsqrt&"))
def test_no_text_makes_the_normal_form_fail(text: str) -> None:
    normal(text)
    last_box(text)
    find(text)


def test_the_first_rows_of_math_500_are_right_in_every_form() -> None:
    for row in rows(SMALL / "math500" / "test.jsonl"):
        for text in (row["solution"], *said(row["answer"])):
            assert verdict(text, row["answer"]).score == 1.0, text


def test_all_references_and_solutions_of_math_500_score_100_percent() -> None:
    for row in math500():
        for text in (row["solution"], *said(row["answer"])):
            assert verdict(text, row["answer"]).score == 1.0, text
        assert verdict(row["answer"], row["solution"]).score == 1.0


def test_shuffled_references_of_math_500_score_next_to_nothing() -> None:
    answers = [row["answer"] for row in math500()][::4]
    shuffled = random.Random(3).sample(answers, len(answers))
    points = [verdict(f"\\boxed{{{given}}}", wanted).score for given, wanted in zip(shuffled, answers, strict=True)]
    assert sum(points) / len(points) < 0.05


PROBLEM = {"problem": "What is $1+1$?", "level": "Level 1", "type": "Algebra", "solution": "It is $\\boxed{2}$."}


def opened(name: str, folder: Path) -> list[Row]:
    found = registry.open_dataset(registry.resolved(name, None), {}, Wanted(), (folder,))
    assert not isinstance(found, Made)
    return list(found)


def test_math_is_read_in_its_own_layout(tmp_path: Path) -> None:
    for subject, text in (("algebra", "What is $1+1$?"), ("geometry", "What is a line?")):
        (tmp_path / "MATH" / "test" / subject).mkdir(parents=True)
        row = {**PROBLEM, "problem": text, "type": subject.title()}
        (tmp_path / "MATH" / "test" / subject / "0.json").write_text(json.dumps(row), encoding="utf-8")
    found = opened("math", tmp_path)
    assert [row.subset for row in found] == ["Algebra", "Geometry"] and found[0].id != found[1].id
    assert verdict("So \\boxed{2}.", found[0].reference).score == 1.0


def test_math_is_read_in_the_layout_of_the_hub(tmp_path: Path) -> None:
    path = tmp_path / "hendrycks_math" / "algebra" / "test-00000-of-00001.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([PROBLEM]), path)
    row = opened("math_hub", tmp_path)[0]
    assert str(row.prompt).startswith("What is $1+1$?\nWork") and row.meta == {"level": "Level 1"}


def test_scoring_is_measured_beside_math_verify_alone() -> None:
    figures = {figure.key: figure.value for figure in math_scoring.measure(*math_scoring.SMOKE)}
    kinds = ("number", "math-number", "math-formula")
    assert figures.keys() == {f"{kind}-{what}" for kind in kinds for what in ("rate", "ratio")}
    assert min(figures.values()) > 0
