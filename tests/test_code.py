"""The evaluator `code`: what is taken for code, and what passes, fails or cheats."""

import base64
import gzip
import json
import pickle
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evaluators import code
from evaluators.code import Code
from evaluators.errors import EvaluationError
from evaluators.programs import cases as code_cases
from evaluators.programs import languages
from evaluators.programs import plain as code_plain
from evaluators.programs.extraction import bodies, candidates
from evaluators.registry import evaluator
from evaluators.sample import Sample, Verdict
from evaluators.sandbox import bounded as sandbox
from evaluators.settings import evaluation_of, settings_of
from perfcore.workload import catalogue, registry
from perfcore.workload.source import Made, Wanted

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "tests" / "data" / "datasets" / "humaneval" / "HumanEval.jsonl.gz"
LARGE = ROOT.parent / "shared" / "data"


def reason() -> str:
    """Why no program can be shut in here, "" if it can."""
    try:
        sandbox.how()
    except EvaluationError as error:
        return str(error)
    return ""


shut_in = pytest.mark.skipif(bool(reason()), reason=reason())
ROW = {
    "prompt": 'from typing import List\n\n\ndef total(numbers: List[int]) -> int:\n    """ Sum of the numbers. """\n',
    "entry_point": "total",
    "test": "def check(candidate):\n    assert candidate([1, 2, 3]) == 6\n    assert candidate([]) == 0\n",
}
MBPP = {"test_list": ["assert twice(2) == 4", "assert twice([1]) == [1, 1]", "assert twice('a') == 'aa'"]}


def humaneval(text: str, timeout_s: int = 20, row: dict[str, Any] = ROW) -> Verdict:
    return code.score(text, Sample(id="t/0", meta=row), Code(kind="humaneval", allowed=True, timeout_s=timeout_s))


def mbpp(text: str, meta: dict[str, Any] = MBPP, reference: str = "def twice(x): return x + x") -> Verdict:
    return code.score(
        text, Sample(id="1", reference=reference, meta=meta), Code(kind="mbpp", allowed=True, timeout_s=5)
    )


def test_nothing_runs_unless_it_is_allowed() -> None:
    found = evaluator("code")
    with pytest.raises(EvaluationError, match="--allow-code-execution"):
        found.score("x = 1", Sample(id="1", meta=ROW), found.settings())


WHOLE = "def total(numbers):\n    return sum(numbers)\n"


@shut_in
@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"```python\n{WHOLE}```", "tagged block"),
        (f"Sure!\n\n```python\n{WHOLE}```\n\nUse it so:\n\n```python\nprint(total([1]))\n```", "tagged block"),
        (f"A draft:\n```py\ndef total(x): return 1\n```\nBetter:\n```py\n{WHOLE}```", "tagged block"),
        (f"```\n{WHOLE}```", "block"),
        (f"~~~~ python\n{WHOLE}~~~~", "tagged block"),
        ("1. So:\n   ```python\n   def total(n):\n       return sum(n)\n   ```", "tagged block"),
        (f"It is\n```python\n{WHOLE}", "unclosed fence"),
        (f"[BEGIN]\n{WHOLE}[DONE]\n[BEGIN]\ndef other(): pass\n[DONE]", "[BEGIN]"),
        (f"[BEGIN]\n```python\n{WHOLE}```\n[DONE]", "[BEGIN]"),
        (f"{WHOLE}[DONE]\nNext one: def", "[DONE]"),
        (WHOLE, "bare code"),
        (WHOLE.replace("\n", "\r\n"), "bare code"),
        (f"Here is the function.\n{WHOLE}\nIt adds them up.", "code in text"),
        ("    return sum(numbers)\n", "body"),
        ("return sum(numbers)", "body"),
        ("s = 0\n    for n in numbers:\n        s += n\n    return s", "body"),
        ("    return sum(numbers)\n\n\ndef other():\n    return 1 +\n", "body"),
        ("```python\n    return sum(numbers)\n```", "body"),
        ("total = lambda numbers: sum(numbers)", "bare code"),
    ],
)
def test_code_is_found_in(text: str, rule: str) -> None:
    found = humaneval(text)
    assert (found.why, found.score, found.rule) == ("passed", 1.0, rule)
    assert "sum(" in found.extracted or "s += n" in found.extracted


@shut_in
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def total(numbers):\n    return 6", "failed: AssertionError"),
        ("def total(numbers):\n    return 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("def total(numbers:\n    return 6", "does not compile: SyntaxError"),
        ("def total(numbers):\n    while True: pass", "timed out"),
        ("def total(n):\n    return [0] * (1 << 40)", "killed: memory"),
        ("def total(n):\n    return b'x'.join([b'x'] * (1 << 36))", "killed: memory"),
        ("def total(n):\n    return total(n)", "failed: RecursionError"),
        ("def total(n):\n    return input()", "failed: EOFError"),
        ("import nothing_like_it\ndef total(n):\n    return 6", "failed: ModuleNotFoundError"),
        ("import os\ndef total(n): return open(f'/proc/{os.getppid()}/mem', 'rb')", "failed: PermissionError"),
        ("import os\ndef total(n): return os.listdir(f'/proc/{os.getppid()}/fd')", "failed: PermissionError"),
        ("def total(n):\n    import ctypes\n    ctypes.string_at(0)", "failed: the program ended before its tests did"),
    ],
)
def test_code_fails_by(text: str, why: str) -> None:
    found = humaneval(text, 1 if why == "timed out" else 20)
    assert found.score == 0.0
    assert found.why.startswith(why)


def test_an_answer_without_code_has_none() -> None:
    assert mbpp("I cannot do that.") == Verdict(0.0, None, "", "no code found")


CHEATS = [
    "import sys; sys.exit(0)",
    "import os; os._exit(0)",
    "raise SystemExit",
    "raise KeyboardInterrupt",
    "def total(n): raise SystemExit(0)",
    "def total(n):\n    import os; os._exit(0)",
    "class Equal:\n    def __eq__(self, other): return True\n    __hash__ = None\ndef total(n): return Equal()",
    "class Equal(int):\n    def __eq__(self, other): return True\ndef total(n): return Equal(1)",
    "class Equal(list):\n    def __eq__(self, other): return True\ndef total(n): return [Equal()]",
    "import builtins\nbuiltins.AssertionError = builtins.print = exit = quit = lambda *a: None\ndef total(n): return 1",
    "print('passed'); print(1.0)\ndef total(n): return 1",
    "import os\nfor fd in range(3, 99):\n    try: os.write(fd, b'\\0' * 99)\n    except OSError: pass\n"
    "def total(n): return 1",
    "import os\nfor fd in range(3, 99):\n    try: os.close(fd)\n    except OSError: pass\ndef total(n): return 1",
    "import gc\ndef check(c): pass\nfor one in gc.get_objects():\n"
    "    if isinstance(one, dict) and 'check' in one: one['check'] = check\n"
    "def total(n): return 1",
    "import sys\nframe = sys._getframe()\nwhile frame:\n"
    "    frame.f_globals['ran'] = lambda *a: ['']; frame = frame.f_back\n"
    "def total(n): return 1",
    "import os\nos.kill(os.getppid(), 9)\ndef total(n): return 6",
    "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\ndef total(n): return 1",
    "open('test.py', 'w').write('')\ndef total(n): return 1",
]


@shut_in
@pytest.mark.parametrize("text", CHEATS)
def test_code_does_not_pass_without_the_right_values(text: str) -> None:
    found = humaneval(text)
    assert found.score == 0.0
    assert found.why.startswith("failed: ")


@shut_in
@pytest.mark.parametrize("ending", ["import sys; sys.exit(0)", "import os; os._exit(0)", "raise SystemExit"])
def test_tests_that_run_beside_the_code_need_more_than_an_end_of_it(ending: str) -> None:
    meta = {"test_list": ["assert Pair(1).one == 1"], "test_setup_code": ""}
    assert (
        mbpp(f"class Pair:\n    def __init__(self, one): self.one = one\n{ending}", meta, "class Pair: 0").score == 0.0
    )
    assert mbpp("class Pair:\n    def __init__(self, one): self.one = one", meta, "class Pair: 0").why == "passed"


@shut_in
def test_what_runs_on_in_a_thread_does_not_keep_right_code_from_passing() -> None:
    text = f"import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\n{WHOLE}"
    assert humaneval(text).why == "passed"


@shut_in
def test_asserts_are_counted_one_by_one() -> None:
    found = mbpp("def twice(x): return 2 * x if x == 2 else x")
    assert found.why == "failed: AssertionError in assert twice([1]) == [1, 1] (test 2 of 3)"
    assert found.parts == {"cases": pytest.approx(1 / 3)}


KINDS_OF_VALUES = [
    ("Point(1, 2)", "_ == (1, 2)"),
    ("Number.ONE", "_ == 1"),
    ("collections.Counter('aab')", "_ == {'a': 2, 'b': 1}"),
    ("{1: 2}.keys()", "_ == {1}"),
    ("collections.deque([1])", "list(_) == [1]"),
    ("range(3)", "_ == range(3)"),
    ("1 + 2j", "_ == 1 + 2j"),
    ("decimal.Decimal('1.5')", "_ == 1.5"),
    ("fractions.Fraction(1, 3)", "_ * 3 == 1"),
    ("datetime.date(2024, 2, 29)", "str(_) == '2024-02-29'"),
    ("float('inf')", "_ > 1"),
    ("10 ** 5000", "_ == 10 ** 5000"),
    ("b'x'", "_ == b'x'"),
    ("frozenset([1])", "1 in _"),
    ("None", "_ is None"),
    ("int", "_ is int"),
    ("map(abs, [-1])", "list(_) == [1]"),
]


@shut_in
def test_values_of_many_kinds_come_back_as_what_they_are() -> None:
    code_of = """
import collections, datetime, decimal, enum, fractions
Point = collections.namedtuple("Point", "x y")
class Number(enum.IntEnum): ONE = 1
def f(n):
    return {values}[n]
"""
    values = [one for one, _ in KINDS_OF_VALUES]
    meta = {"test_list": [f"assert {test.replace('_', f'f({at})')}" for at, (_, test) in enumerate(KINDS_OF_VALUES)]}
    assert mbpp(code_of.replace("{values}", f"[{', '.join(values)}]"), meta).why == "passed"
    assert mbpp("def f(n): return (x for x in [n, 1])", {"test_list": ["assert list(f(0)) == [0, 1]"]}).why == "passed"


def test_nothing_but_plain_values_is_read() -> None:
    value = [1, "a", (2.5, None), {"k": {3}}]
    assert code_plain.loads(code_plain.dumps(value)) == value
    with pytest.raises(ValueError, match="is no plain value"):
        code_plain.loads(pickle.dumps(print))
    with pytest.raises(ValueError, match="eval is no plain value"):
        code_plain.REBUILT["class"]("eval")
    with pytest.raises(TypeError, match="Path"):
        code_plain.dumps(Path())


def rows_of(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    return [json.loads(line) for line in lines]


def in_two(score: Callable[[dict[str, Any]], Verdict], rows: list[dict[str, Any]]) -> list[str]:
    """What is said of each row, where two are scored at once."""
    with ThreadPoolExecutor(2) as pool:
        return [verdict.why for verdict in pool.map(score, rows)]


WAYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "plain": lambda row: row["prompt"] + row["canonical_solution"],
    "fenced": lambda row: f"So:\n```python\n{row['prompt']}{row['canonical_solution']}```\nDone.",
    "body": lambda row: row["canonical_solution"],
    "stripped": lambda row: row["canonical_solution"].strip(),
}


@shut_in
@pytest.mark.parametrize("way", WAYS)
def test_humanevals_own_solutions_pass(way: str) -> None:
    rows = rows_of(SMALL)
    assert set(in_two(lambda row: humaneval(WAYS[way](row), row=row), rows)) == {"passed"}


@shut_in
def test_humanevals_solutions_of_other_tasks_fail() -> None:
    rows = rows_of(SMALL)
    texts = [WAYS["plain"](row).replace(row["entry_point"], other["entry_point"]) for row, other in shifted(rows)]
    assert {humaneval(text, row=other).score for text, (_, other) in zip(texts, shifted(rows), strict=True)} == {0.0}


def shifted(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each row with the next one."""
    return list(zip(rows, [*rows[1:], rows[0]], strict=True))


@shut_in
def test_all_of_humanevals_own_solutions_pass() -> None:
    rows = large("humaneval/HumanEval.jsonl.gz")
    assert in_two(lambda row: humaneval(WAYS["fenced"](row), row=row), rows) == ["passed"] * 164


@shut_in
def test_one_in_25_of_mbpps_own_solutions_pass_with_all_that_are_tested_beside_the_code() -> None:
    rows = [
        row
        for row in large("mbpp/mbpp.jsonl")
        if row["task_id"] % 25 == 3 or row["task_id"] in {126, 367, 596, 601, 927, 533}
    ]
    found = in_two(lambda row: mbpp(f"[BEGIN]\n{row['code']}\n[DONE]", row, row["code"]), rows)
    assert found == ["passed"] * len(rows)


def large(name: str) -> list[dict[str, Any]]:
    if not (LARGE / name).exists():
        pytest.skip(f"the data sets are not in {LARGE}")
    return rows_of(LARGE / name)


@pytest.mark.parametrize(
    "name", [name for name in catalogue.names(None) if re.match("humaneval|(sanitized_)?mbpp|livecode", name)]
)
def test_presets_of_code_say_how_it_is_tested_and_allow_nothing(name: str) -> None:
    found = evaluation_of(catalogue.read_preset(catalogue.names(None)[name]).evaluation, name)
    settings = settings_of(found.args, evaluator(found.evaluator).settings, name)
    assert (found.evaluator, settings.allowed) == ("code", False)
    assert name.removeprefix("sanitized_").startswith(settings.kind)


@shut_in
def test_the_sanitized_version_of_mbpp_is_asked_and_scored(tmp_path: Path) -> None:
    (tmp_path / "mbpp").mkdir()
    row = {"prompt": "Double it.", "code": "def twice(x): return x + x", "test_imports": ["import math"], **MBPP}
    tasks = [{**row, "task_id": number} for number in (2, 3, 4, 11, 602)]
    (tmp_path / "mbpp/sanitized-mbpp.json").write_text(json.dumps(tasks), encoding="utf-8")
    there = registry.resolved("sanitized_mbpp_passk_gen_3_shot_chat_prompt", None)
    found = registry.open_dataset(there, {}, Wanted(), (tmp_path,))
    assert not isinstance(found, Made)
    (asked,) = found
    assert asked.messages is not None and len(asked.messages) == 7
    assert mbpp(f"[BEGIN]\n{asked.reference}\n[DONE]", asked.meta).why == "passed"


def test_the_sanitized_version_imports_what_its_tests_need() -> None:
    assert code.setup_of({"test_imports": ["import math"], "test_list": []}) == "import math"


# HumanEval-X, by a task of our own.
SPOKEN: dict[str, tuple[str, str, str, str]] = {
    "Python/0": (
        'def twice(x: int) -> int:\n    """ Two times x. """\n',
        "    return 2 * x\n",
        "def check(f):\n    assert f(2) == 4\n\ncheck(twice)\n",
        "    return 5\n",
    ),
    "CPP/0": (
        "#include<cstdlib>\n#include<vector>\nusing namespace std;\nint twice(vector<int> x){\n",
        "    return 2 * x.size();\n}\n",
        "#undef NDEBUG\n#include<assert.h>\nint main(){\n    assert (twice({1, 2}) == 4);\n}\n",
        "    return 5;\n}\n",
    ),
    "Java/0": (
        "import java.util.*;\n\nclass Solution {\n    public int twice(List<Integer> x) {\n",
        "        return 2 * x.size();\n    }\n}\n",
        "public class Main {\n    public static void main(String[] args) {\n        Solution s = new Solution();\n"
        "        if (s.twice(Arrays.asList(1, 2)) != 4) throw new AssertionError();\n    }\n}\n",
        "        return 5;\n    }\n}\n",
    ),
    "JavaScript/0": (
        "const twice = (x) => {\n",
        "  return 2 * x;\n}\n\n",
        "const testTwice = () => {\n  console.assert(twice(2) === 4)\n}\n\ntestTwice()\n",
        "  return 5;\n}\n",
    ),
    "Rust/0": (
        "use std::collections::HashMap;\n\nfn twice(x: i32) -> i32{\n",
        "    return 2 * x;\n}\n",
        "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn test_twice() {\n"
        "        assert!(twice(2) == 4);\n    }\n}\n",
        "    return 5;\n}\n",
    ),
    "Go/0": (
        'import (\n    "math"\n)\n\nfunc Twice(x int) int {\n',
        "    return int(math.Abs(float64(2 * x)))\n}\n",
        "func TestTwice(t *testing.T) {\n    assert := assert.New(t)\n    assert.Equal(4, Twice(2))\n}\n",
        "    return 5\n}\n",
    ),
}
EARLY = {
    "Python/0": "    exit(0)\n",
    "CPP/0": "exit(0);\n}",
    "Java/0": "System.exit(0); return 4;\n}\n}",
    "JavaScript/0": "process.exit(0);\n}",
    "Rust/0": "std::process::exit(0);\n}",
    "Go/0": "    panic(math.Pi)\n}",
}


def spoken(name: str, text: str) -> Verdict:
    declaration, _, test, _ = SPOKEN[name]
    setup = 'package main\n\nimport (\n    "testing"\n    "github.com/stretchr/testify/assert"\n)\n'
    meta = {
        "declaration": declaration,
        "prompt": declaration,
        "test": test,
        "test_setup": setup if name == "Go/0" else "",
    }
    return code.score(text, Sample(id=name, meta=meta), Code(kind="humanevalx", allowed=True, timeout_s=60))


def tells_its_version(program: str) -> bool:
    """Whether a program is there and runs: that of rustup, for one, needs what it keeps in the home directory."""
    try:
        return not subprocess.run(
            [program, "version" if program == "go" else "--version"], capture_output=True
        ).returncode
    except FileNotFoundError:
        return False


@shut_in
@pytest.mark.parametrize("name", SPOKEN)
def test_code_of_a_language_passes_as_a_whole_and_as_a_body_and_fails_if_it_is_wrong_or_ends_early(name: str) -> None:
    language = code.BEFORE_MAIN[name.split("/")[0].lower()]
    for need in languages.LANGUAGES[language].needs if language != "python" else ():
        if not tells_its_version(need):
            pytest.skip(f"{need} is not installed, or does not run here")
    declaration, body, _, wrong = SPOKEN[name]
    assert spoken(name, f"```{language}\n{declaration}{body}```").why == "passed"
    assert spoken(name, body).why == "passed"
    assert spoken(name, declaration + wrong).why.startswith("failed: ")
    assert spoken(name, declaration + EARLY[name]).why.startswith("failed: ")


def test_a_language_without_a_compiler_says_what_to_install() -> None:
    if shutil.which("go"):
        pytest.skip("go is installed")
    with pytest.raises(EvaluationError, match="go not found, which go needs; install Go"):
        spoken("Go/0", "func Twice(x int) int { return 4 }")


@shut_in
def test_code_that_its_compiler_refuses_says_why() -> None:
    assert spoken("CPP/0", "```cpp\nint twice(vector<int> x){ return y; }\n```").why.startswith("does not compile: ")


# LiveCodeBench, by tasks of our own in its layout.
def packed(tests: list[dict[str, str]]) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def livecodebench(text: str, tests: list[tuple[str, str]], function: str = "") -> Verdict:
    kind = "functional" if function else "stdin"
    given = [{"input": one, "output": other, "testtype": kind} for one, other in tests]
    meta = {
        "public_test_cases": json.dumps(given[:1]),
        "private_test_cases": packed(given[1:]),
        "metadata": json.dumps({"func_name": function} if function else {}),
    }
    return code.score(text, Sample(id="a", meta=meta), Code(kind="livecodebench", allowed=True, timeout_s=20, case_s=3))


SUMS = [("1 2\n", "3\n"), ("3 4\n", "7"), ("5 5\n", "10\n")]


@shut_in
@pytest.mark.parametrize(
    "text",
    [
        "print(sum(map(int, input().split())))",
        "import sys\nfor line in sys.stdin:\n    print(sum(int(x) for x in line.split()), end='  \\n\\n')",
        "def main():\n    a, b = map(int, open(0).read().split())\n    print(a + b)\n"
        "if __name__ == '__main__':\n    main()",
        "import os\nos.write(1, str(sum(map(int, os.read(0, 99).split()))).encode())",
        "import threading\nt = threading.Thread(target=lambda: print(sum(map(int, input().split()))))\nt.start()",
        "print(sum(map(int, input().split())) * 1.0)\nexit()",
        "print(sum(map(int, open('/dev/stdin').read().split())))",
    ],
)
def test_programs_of_contests_pass(text: str) -> None:
    assert livecodebench(f"```python\n{text}\n```", SUMS) == Verdict(
        1.0, f"{text}\n", "last tagged block", "passed", {"cases": 1.0}
    )


@shut_in
@pytest.mark.parametrize(
    ("text", "why", "share"),
    [
        ("print(3)", "failed: printed '3' in the place of '7' (test 2 of 3)", 1 / 3),
        ("a, b = map(int, input().split())\nwhile a == 3: pass\nprint(a + b)", "timed out (test 2 of 3)", 1 / 3),
        ("import os\nos._exit(1)", "failed: exit status 1 (test 1 of 3)", 0.0),
        ("print(3", "does not compile: SyntaxError", 0.0),
        ("import os\nos.kill(os.getppid(), 9)", "failed: the program ended before its tests did", 0.0),
        # Whichever of its limits a billion characters meet first; on a slow machine that is the clock.
        ("print('x' * 10 ** 9)", "killed: memory (test 1 of 3)|failed: |timed out (test 1 of 3)", 0.0),
    ],
)
def test_programs_of_contests_fail_case_by_case(text: str, why: str, share: float) -> None:
    found = livecodebench(f"```python\n{text}\n```", SUMS)
    assert found.why.startswith(tuple(why.split("|")))
    assert found.score == 0.0
    assert found.parts["cases"] == pytest.approx(share)


@shut_in
def test_methods_of_contests_are_called_with_json_and_compared_with_json() -> None:
    tests = [("[1, 2]\n3", "[1, 2, 3]"), ("[]\n1", "[1]")]
    text = "class Solution:\n    def add(self, xs: List[int], x: int) -> List[int]:\n        return (*xs, x)"
    assert livecodebench(f"```python\n{text}\n```", tests, "add").why == "passed"
    wrong = text.replace("(*xs, x)", "xs + [1]")
    assert (
        livecodebench(f"```python\n{wrong}\n```", tests, "add").why
        == "failed: [1, 2, 1] in the place of [1, 2, 3] (test 1 of 2)"
    )


@pytest.mark.parametrize("value", [print, {"a": 1}, b"x"])
def test_packed_tests_that_are_more_than_text_are_refused_and_nothing_of_them_runs(value: Any) -> None:
    with pytest.raises(EvaluationError, match="fetch the file again"):
        code_cases.unpacked(base64.b64encode(zlib.compress(pickle.dumps(value))).decode())


@pytest.mark.parametrize(
    ("got", "wanted", "same"),
    [
        ("1 2\n3\n", "1 2\n3", True),
        ("1.0 2", "1 2.00", True),
        ("YES ", "YES", True),
        ("yes", "YES", False),
        ("1\n\n2", "1\n2", False),
        ("1 2", "1 2 3", False),
        ("", "", True),
        ("nan", "1", False),
    ],
)
def test_outputs_are_the_same_but_for_blanks_and_the_writing_of_numbers(got: str, wanted: str, same: bool) -> None:
    assert code_cases.same_output(got, wanted) is same


@pytest.mark.parametrize(
    "text", ["```python\n" * 20_000, "[BEGIN]" * 20_000, "```\ndef f(x):\n" * 9_999, "def f(x):\n" * 9_999]
)
def test_text_that_repeats_itself_is_read_once(text: str) -> None:
    assert len(candidates(text, code.function("total"))) <= 12
    assert len(bodies(text)) <= 4


def test_no_code_is_taken_out_of_prose() -> None:
    assert candidates("I would define a function that sums.", code.function("total")) == []
    assert bodies("    return 1\nprint(2)")[0] == "    return 1\n"
