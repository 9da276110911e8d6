"""The evaluator `code` beside the programs of the data sets' authors: what these pass, passes here."""

import json
import subprocess
from typing import Any

import pytest

from evaluators import code
from evaluators.code import Code
from evaluators.errors import EvaluationError
from evaluators.programs import cases, joined, languages, packages
from evaluators.sample import Sample, Verdict
from evaluators.sandbox import bounded as sandbox


def reason() -> str:
    """Why no program can be shut in here, "" if it can."""
    try:
        sandbox.how()
    except EvaluationError as error:
        return str(error)
    return ""


shut_in = pytest.mark.skipif(bool(reason()), reason=reason())
SUMS = [("1 2\n", "3\n"), ("3 4\n", "7")]
HEADS = [("[1, 2, 3]\n2", "[1, 2]"), ("[4]\n1", "[4]")]


def contest(program: str, tests: list[tuple[str, str]], function: str = "", **args: Any) -> Verdict:
    given = [{"input": one, "output": other, "testtype": "functional" if function else "stdin"} for one, other in tests]
    meta = {"public_test_cases": json.dumps(given), "metadata": json.dumps({"func_name": function} if function else {})}
    settings = Code(kind="livecodebench", allowed=True, **{"timeout_s": 20, "case_s": 3, **args})
    return code.score(f"```python\n{program}\n```", Sample(id="a", meta=meta), settings)


USED = """
a = list(map(int, stdin.read().split()))
assert bisect.bisect_left([1, 2], 2) == bisect_left([1, 2], 2) and copy.copy(a) == deepcopy(a)
assert heapq.nsmallest(1, a) == [min(a)] and datetime.timedelta(1) == timedelta(1) and math.gcd(2, 4) == gcd(2, 4)
assert statistics.mean([1]) == mean([1]) and json.loads("1") == loads("1") and re.findall("a", "a") == findall("a", "a")
assert random.random() < maxsize and randint(1, 1) == 1 and io.StringIO("") and StringIO("") and string.digits
assert pow(2, 3, 5) == 3 and Counter("a") == collections.Counter("a") and open(0) and compile("1", "a", "eval")
def add(xs: List[int]) -> Optional[int]:
    return reduce(operator.add, accumulate(xs[:1]), sum(xs) - xs[0])
print(add(a))
"""


@shut_in
@pytest.mark.parametrize(
    "program",
    [
        USED,
        "print(sum(map(int, input().split())))\nsys.exit(1)",
        "print(sum(map(int, input().split())) + 0 * len(str(2 ** 20000)))",
        "def f(n): return n and 1 + f(n - 1)\nf(45000)\nprint(sum(map(int, input().split())))",
    ],
)
def test_programs_of_contests_find_the_names_and_limits_that_they_count_on(program: str) -> None:
    assert contest(program, SUMS).why == "passed"


@shut_in
@pytest.mark.parametrize(
    "program",
    [
        "def head(xs, n):\n    return xs[:n]",
        "head = lambda xs, n: xs[:n]",
        "class Solution:\n    def head(self, xs, n):\n        return xs[:bisect.bisect_left(range(9), n)]",
    ],
)
def test_a_function_without_a_class_is_called_too(program: str) -> None:
    assert contest(program, HEADS, "head").why == "passed"


@shut_in
def test_a_call_has_the_processor_time_of_a_case_and_all_cases_may_come_up_to_it() -> None:
    program = (
        "from time import process_time\nclass Solution:\n    def head(self, xs, n):\n"
        "        until = process_time() + {}\n        while process_time() < until: pass\n        return xs[:n]"
    )
    assert contest(program.format(0.8), HEADS, "head", case_s=1, timeout_s=1).why == "passed"
    assert contest(program.format(3), HEADS, "head", case_s=1, timeout_s=60).why == "timed out (test 1 of 2)"


@shut_in
def test_values_that_cannot_be_written_are_wrong_and_no_error_of_the_sample() -> None:
    assert contest("def head(xs, n): return 10 ** 5000", HEADS, "head").why.startswith("failed: another int in the")


@pytest.mark.parametrize("got", ["sNaN", "NaN", "1e", "٣x"])
def test_a_word_that_cannot_be_compared_is_wrong_and_no_error_of_the_sample(got: str) -> None:
    assert not cases.same_output(got, "3")


@shut_in
def test_programs_import_the_packages_that_are_asked_for_and_no_others() -> None:
    program = "import numpy\nprint(numpy.array(input().split(), dtype=int).sum())"
    assert contest(program, SUMS, packages=["numpy"]).why == "passed"
    assert "No module named 'numpy'" in contest(program, SUMS).why
    assert "No module named 'msgspec'" in contest(f"import msgspec\n{program}", SUMS, packages=["numpy"]).why
    program = "import numpy\ndef head(xs, n): return list(numpy.array(xs[:n]))"
    assert contest(program, HEADS, "head", packages=["numpy"]).why == "passed"


@pytest.mark.parametrize("name", ["no_such_package", "../x", "sys"])
def test_a_package_that_is_not_installed_is_named(name: str) -> None:
    with pytest.raises(EvaluationError, match=f"the package '{name}' of args.packages is not installed"):
        packages.places(name)


# HumanEval-X in its own layout, by tasks of our own: what a prompt offers, answers do not repeat.
RUST = (
    "\nfn main(){ \n } \n\nuse std::{cmp::{max, self}, collections::{HashSet, HashMap}, ascii::AsciiExt};\n"
    "use rand::Rng;\nuse regex::Regex;\nuse md5;\n\nfn half(x: i32) -> i32 {\n    x / 2\n}\n\n"
    "fn kinds(s: String) -> i32{\n"
)
RUST_TEST = "#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn test_kinds() {\n"
RUST_TEST += '        assert!(kinds("aab".to_string()) == half(4));\n    }\n}\n'
RUST_BODY = "    let found: HashSet<char> = s.chars().collect();\n    found.len() as i32\n}\n"
CPP = "#include<vector>\n#include<math.h>\nusing namespace std;\nint half(int x){\n    return floor(x / 2);\n}\n\n"
CPP += "int least(vector<int> xs){\n"
CPP_TEST = "#undef NDEBUG\n#include<assert.h>\nint main(){\n    assert (least({4, 2, 9}) == half(4));\n}\n"
JAVA = "import java.util.*;\n\nclass Solution {\n    public int half(int x) {\n        return x / 2;\n    }\n\n"
JAVA += "    public int quarter(int x) {\n"
JAVA_TEST = "public class Main {\n    public static void main(String[] args) {\n        Solution s = new Solution();\n"
JAVA_TEST += "        if (s.quarter(8) != s.half(4)) throw new AssertionError();\n    }\n}\n"
JS = "const hash = (text) => {\n"
JS_TEST = (
    "const testHash = () => {\n  console.assert(hash('a') === '0cc175b9c0f1b6a831c399e269772661')\n}\n\ntestHash()\n"
)
GO = 'import (\n    "math"\n    "strings"\n)\n\nfunc Half(s string) string {\n'
GO += "    return s[:int(math.Floor(float64(len(s))/2))]\n}\n\nfunc Quarter(s string) string {\n"
GO_SETUP = 'package main\n\nimport (\n    "testing"\n    "math/rand"\n    "strings"\n'
GO_SETUP += '    "github.com/stretchr/testify/assert"\n)\n'
GO_TEST = "func TestQuarter(t *testing.T) {\n    assert := assert.New(t)\n"
GO_TEST += '    s := strings.Repeat("ab", 4 + rand.Intn(3))\n    assert.Equal(Half(Half(s)), Quarter(s))\n}\n'
GO_UNASKED = "    if strconv.Itoa(1) == fmt.Sprint(2) {\n        s += s\n    }\n    return Half(Half(s))\n}"
GO_WHOLE = '```go\nimport m "math"\nimport "os"\n\n// Of strings. See fmt.Print.\nfunc Quarter(s string) string {\n'
GO_WHOLE += "    return Half(s[:int(m.Floor(float64(len(s))/2))])\n}\n```"
ROWS = {
    "Rust/0": (RUST, RUST_TEST),
    "CPP/0": (CPP, CPP_TEST),
    "Java/0": (JAVA, JAVA_TEST),
    "JavaScript/0": (JS, JS_TEST),
    "Go/0": (GO, GO_TEST),
}


def spoken(name: str, text: str) -> str:
    declaration, test = ROWS[name]
    meta = {"declaration": declaration, "prompt": declaration, "test": test}
    meta["test_setup"] = GO_SETUP if name == "Go/0" else ""
    return code.score(text, Sample(id=name, meta=meta), Code(kind="humanevalx", allowed=True, timeout_s=60)).why


def runs(language: str) -> bool:
    """Whether what a language needs is there, and runs: rustup's needs what is in the home directory."""
    for need in languages.LANGUAGES[language].needs:
        word = "version" if need == "go" else "--version"
        try:
            if subprocess.run([need, word], capture_output=True, check=False).returncode:
                return False
        except FileNotFoundError:
            return False
    return True


@shut_in
@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("Rust/0", RUST_BODY, "passed"),
        ("Rust/0", f"```rust\nuse std::collections::HashSet;\nfn kinds(s: String) -> i32 {{\n{RUST_BODY}```", "passed"),
        ("CPP/0", "    int m = INT_MAX;\n    for (int x : xs) m = min(m, x);\n    return m;\n}", "passed"),
        (
            "CPP/0",
            "```cpp\nint least(vector<int> xs) { return half(2 * *min_element(xs.begin(), xs.end())); }\n```",
            "passed",
        ),
        (
            "Java/0",
            "```java\npublic class Main {\n    public static void main(String[] a) { new Solution(); }\n}\n\n"
            "class Solution {\n    public int quarter(int x) { return half(half(x)); }\n}\n```",
            "passed",
        ),
        ("JavaScript/0", "  return require('js-md5')(text)\n}\n", "passed"),
        ("Go/0", GO_UNASKED, "passed"),
        ("Go/0", GO_WHOLE, "passed"),
        ("Go/0", "    return s\n}", "failed: status 1"),
        ("Go/0", "    os.Exit(0)\n    return s\n}", "does not compile: ./solution_test.go"),
    ],
)
def test_an_answer_may_use_what_its_prompt_and_the_authors_program_offer(name: str, text: str, why: str) -> None:
    language = code.BEFORE_MAIN[name.split("/")[0].lower()]
    if not runs(language):
        pytest.skip(f"{' or '.join(languages.LANGUAGES[language].needs)} is not installed, or does not run here")
    assert spoken(name, text).startswith(why)


@pytest.mark.parametrize(
    "line", ['Regex::new("a")', "rand::thread_rng()", "md5::compute(s)", "let mut r: Box<dyn FnMut()> = Rng::x()"]
)
def test_a_crate_that_is_used_and_not_here_is_an_error_of_the_sample(line: str) -> None:
    with pytest.raises(EvaluationError, match="the program uses the crate"):
        joined.without_crates(f"{RUST}    {line};\n    1\n}}\n")


def test_crates_that_are_not_used_are_not_asked_for() -> None:
    assert "use r" not in joined.without_crates(f"{RUST}{RUST_BODY}")


@shut_in
def test_solutions_in_python_of_humanevalx_find_the_modules_of_the_authors_program() -> None:
    prompt = 'def f(x):\n    """ Its root. """\n'
    meta = {"declaration": "def f(x):\n", "prompt": prompt, "test": "def check(f): assert f(4) == 2\n\ncheck(f)"}
    text = "    return math.floor(math.sqrt(x)) if Counter([x]) else re.findall"
    settings = Code(kind="humanevalx", allowed=True)
    assert code.score(text, Sample(id="Python/0", meta=meta), settings).why == "passed"
