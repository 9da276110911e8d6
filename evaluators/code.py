"""The evaluator `code`: the code in an answer passes the tests of its task, in a sandbox.

Kinds of tasks: `humaneval` (Chen et al. 2021), `mbpp` (Austin et al. 2021), `humanevalx` (Zheng et al. 2023), and
`livecodebench` (Jain et al. 2024), also under the name `stdio`, whose tests are standard input and output or calls.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from evaluators.errors import EvaluationError
from evaluators.programs import cases as code_cases
from evaluators.programs import joined, languages, packages
from evaluators.programs import names as code_names
from evaluators.programs.extraction import Found, bodies, candidates
from evaluators.programs.process import EARLY, PATIENCE
from evaluators.programs.trial import MIB, Result, Task, result, worded
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict
from evaluators.sandbox.bounded import Limits

NO_CODE = "no code found"
MORE = 65536  # bytes that may be printed beyond what is wanted
# What solutions of contests use without importing it: LiveCodeBench's own program puts all names of these modules in
# front of them, and behind those, so that they win, Python's own names, those for types, and the modules themselves.
BEFORE_CONTEST = (
    *("string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics"),
    *("itertools", "functools", "operator", "io", "sys", "json"),
)
CONTEST = "\n".join(
    [
        *(f"from {name} import *" for name in (*BEFORE_CONTEST, "builtins", "typing")),
        f"import {', '.join(BEFORE_CONTEST)}",
        "sys.setrecursionlimit(50000)",
        "getattr(sys, 'set_int_max_str_digits', abs)(50000)",
    ]
)
# What the program of HumanEval-X's authors puts in front of solutions in Python.
BEFORE_PYTHON = (
    "import math, re, sys, copy, datetime, itertools, collections, heapq, statistics, functools, hashlib, string\n"
    "from typing import *\nfrom collections import *\n"
)
BEFORE_MAIN = {
    "python": "python",
    "cpp": "cpp",
    "java": "java",
    "javascript": "js",
    "js": "js",
    "go": "go",
    "rust": "rust",
}


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the evaluator `code`."""

    kind: Annotated[
        Literal["humaneval", "mbpp", "humanevalx", "livecodebench", "stdio"], Meta(description="Layout of the tests.")
    ] = "humaneval"
    allowed: Annotated[
        bool, Meta(description="That programs of models may be run: --allow-code-execution sets it, no preset does.")
    ] = False
    timeout_s: Annotated[
        int,
        Meta(
            ge=1,
            le=3600,
            description="Seconds of processor time for all tests of a sample; in contests case_s + 1 for each or more.",
        ),
    ] = 20
    case_s: Annotated[int, Meta(ge=1, le=3600, description="Seconds of processor time for one test of a contest.")] = 6
    memory_mb: Annotated[int, Meta(ge=64, le=65536, description="MiB that a program may use.")] = 1024
    packages: Annotated[
        list[str], Meta(description="Installed packages that programs in Python may import, such as numpy.")
    ] = []
    language: Annotated[str, Meta(description="Language of humanevalx; else the subset, or the id, says it.")] = ""


def score(text: str, sample: Sample, settings: Code) -> Verdict:
    """Run the code in the answer. Raises EvaluationError unless that is allowed and can be done safely."""
    if not settings.allowed:
        raise EvaluationError(
            "programs that a model has written are only run with --allow-code-execution; docs/code-execution.md says "
            "what they could do"
        )
    return KINDS[settings.kind](text, sample, settings)


def humaneval(text: str, sample: Sample, settings: Code) -> Verdict:
    """One function; its prompt is Python with imports and helpers, its tests call check(function)."""
    prompt, entry = column(sample, "prompt"), column(sample, "entry_point")
    found = completed(text, prompt, entry)
    test = f"{column(sample, 'test')}\ncheck({entry})"
    data = {"prelude": prompt, "trusted": prompt, "entry": entry, "tests": [test], "seconds": 0}
    return passed_all(found, settings, "apart", data)


def mbpp(text: str, sample: Sample, settings: Code) -> Verdict:
    """One function; its tests are asserts."""
    tests = [str(test) for test in column(sample, "test_list")]
    setup = setup_of(sample.meta)
    entry, apart = code_names.tested("\n".join([setup, *tests]), str(sample.reference or ""))
    found = candidates(text, function(entry) if entry else None)
    mode = "apart" if apart else "together"
    data = {"trusted": setup, "entry": entry, "tests": tests, "seconds": 0}
    if not apart:  # what the setup names may be of the code
        data["tests"] = [f"{setup}\n{test}" for test in tests] if setup else tests
    return passed_all(found, settings, mode, data)


def setup_of(meta: Mapping[str, Any]) -> str:
    """What is run before the asserts: a text, or the imports of the sanitized version."""
    lines = meta.get("test_imports") or []
    return "\n".join([*map(str, lines), str(meta.get("test_setup_code") or "")]).strip("\n")


def humanevalx(text: str, sample: Sample, settings: Code) -> Verdict:
    """One function in one of several languages."""
    name = language_of(sample, settings)
    declaration, test = column(sample, "declaration"), column(sample, "test")
    if name == "python":
        return humanevalx_python(text, sample, settings)
    ready(name)
    language = languages.LANGUAGES[name]
    called = joined.called_in(declaration)
    whole = re.compile(language.defines.format(name=re.escape(called)))
    above = "\n".join(str(sample.meta.get(name) or "") for name in ("test_setup", "import")).strip("\n")
    found = candidates(text, whole, name)
    if found and whole.search(found[0].code):
        found = [Found(f"{above}\n{joined.whole(name, declaration, found[0].code)}", found[0].rule)]
    else:
        body = next(iter(bodies(text)), "")
        found = [Found(f"{above}\n{declaration}\n{body}", "body")] if body.strip() else []
    return compiled(found, test, name, settings)


def humanevalx_python(text: str, sample: Sample, settings: Code) -> Verdict:
    """As HumanEval; the tests call check themselves."""
    prompt, test = column(sample, "prompt"), column(sample, "test")
    entry = re.findall(r"^def\s+(\w+)", column(sample, "declaration"), re.M)[-1]
    data = {"prelude": BEFORE_PYTHON + prompt, "trusted": prompt, "entry": entry, "tests": [test], "seconds": 0}
    return passed_all(completed(text, prompt, entry), settings, "apart", data)


def compiled(found: Sequence[Found], test: str, name: str, settings: Code) -> Verdict:
    """Build and run a program with its tests."""
    if not found:
        return Verdict(0.0, None, "", NO_CODE)
    done = built(found[0], test, name, settings)
    return verdict(done, done.results)


def built(found: Found, test: str, name: str, settings: Code) -> Result:
    """What becomes of a program in a language."""
    language, there = languages.LANGUAGES[name], languages.compilers(name)
    program = language.program(found.code, test, there)
    limits = limits_of(settings)._replace(
        address=None, scratch=512 * MIB, memory=max(settings.memory_mb, 1024) * MIB, processes=256, file=256 * MIB
    )
    visible = [*language.visible, *languages.folders(there)]
    task = Task("build", [found], limits, {"steps": program.steps}, program.files, visible, language.environment)
    return result(task)


@lru_cache
def ready(name: str) -> None:
    """Raise EvaluationError unless a small program of a language passes its test here."""
    code, test = languages.LANGUAGES[name].example
    done = built(Found(code, ""), test, name, Code(timeout_s=120))
    why = done.why or done.results[0]
    if why:
        raise EvaluationError(f"no program in {name} runs here ({why}); install {languages.LANGUAGES[name].install}")


def language_of(sample: Sample, settings: Code) -> str:
    """The language of a row, by the settings, its subset, or its id such as CPP/0."""
    for word in (settings.language, sample.subset, sample.id.partition("/")[0]):
        name = BEFORE_MAIN.get(word.lower().removeprefix("humanevalx_").removeprefix("humanevalx-"))
        if name:
            return name
    raise EvaluationError(f"the language of the sample {sample.id!r} is not known; set evaluation.args.language")


def livecodebench(text: str, sample: Sample, settings: Code) -> Verdict:
    """A program that reads standard input and prints, or a method of a class `Solution`."""
    tests, functional = code_cases.all_cases(sample.meta)
    if functional:
        return called(text, tests, code_cases.function_of(sample.meta), settings)
    found = candidates(text, None)
    inputs = [(test.given.encode(), len(test.wanted.encode()) + MORE) for test in tests]
    limits = limits_of(settings, len(tests))._replace(report=sum(most for _, most in inputs) + 64 * MIB)
    data = {"prelude": CONTEST, "inputs": inputs, "seconds": settings.case_s}
    if not found:
        return Verdict(0.0, None, "", NO_CODE)
    done = result(python("cases", found, limits, data, settings))
    results = [
        why
        or ("" if code_cases.same_output(printed.decode("utf-8", "replace"), test.wanted) else different(printed, test))
        for (why, printed), test in zip(done.results, tests, strict=False)
    ]
    return verdict(done, results, len(tests))


def different(printed: bytes, test: code_cases.Case) -> str:
    """What was printed in the place of what is wanted."""
    got = printed[:2000].decode("utf-8", "replace").strip()
    return f"printed {got[:60]!r} in the place of {test.wanted.strip()[:60]!r}"


def called(text: str, tests: Sequence[code_cases.Case], entry: str, settings: Code) -> Verdict:
    """Call the method for each test, or the function where there is no class, and compare what it returns."""
    name = re.escape(entry.rpartition(".")[2])
    found = candidates(text, re.compile(rf"^(?:class\s+Solution\b|def\s+{name}\s*\()", re.M))
    if not found:
        return Verdict(0.0, None, "", NO_CODE)
    calls = [code_cases.arguments(test) for test in tests]
    data = {"prelude": CONTEST, "entry": entry, "calls": calls, "seconds": settings.case_s}
    done = result(python("values", found, limits_of(settings, len(tests)), data, settings))
    results = [why or unlike(got, test.wanted) for (why, got), test in zip(done.results, tests, strict=False)]
    return verdict(done, results, len(tests))


def unlike(got: Any, wanted: str) -> str:
    """ "" for a value that is the one that is wanted, else both, as far as they can be written."""
    try:
        if code_cases.same_value(got, json.loads(wanted)):
            return ""
        return f"{got!r:.60} in the place of {wanted:.60}"
    except (RecursionError, ValueError):  # too deep, or a number of more digits than Python writes
        return f"another {type(got).__name__} in the place of {wanted:.60}"


def passed_all(found: Sequence[Found], settings: Code, mode: str, data: dict[str, Any]) -> Verdict:
    """Run the tests of a function in Python."""
    if not found:
        return Verdict(0.0, None, "", NO_CODE)
    done = result(python(mode, found, limits_of(settings), data, settings))
    return verdict(done, done.results, len(data["tests"]))


def python(mode: str, found: Sequence[Found], limits: Limits, data: Mapping[str, Any], settings: Code) -> Task:
    """A task in Python, with the packages that its programs may import."""
    names = settings.packages
    environment = packages.ONE_THREAD if names else {}
    return Task(mode, found, limits, {**data, "paths": packages.paths(names)}, {}, packages.visible(names), environment)


def limits_of(settings: Code, cases: int = 0) -> Limits:
    """Limits of the sandbox; wall time is more than processor time, since a busy machine must not fail a program.

    Where each case has a limit of its own, all of them may come up to it.
    """
    memory, seconds = settings.memory_mb * MIB, max(settings.timeout_s, cases * (settings.case_s + 1))
    return Limits(wall_s=PATIENCE * seconds, cpu_s=seconds, memory=memory, address=memory + 512 * MIB)


def verdict(done: Result, results: Sequence[str], count: int = 1) -> Verdict:
    """Right if all tests have passed; `cases` is the share that has."""
    passed = sum(not why for why in results)
    parts = {"cases": passed / count}
    if done.why:
        return Verdict(0.0, done.chosen.code, done.chosen.rule, done.why, {"cases": 0.0})
    if passed == count:
        return Verdict(1.0, done.chosen.code, done.chosen.rule, "passed", parts)
    at, why = next(((at, why) for at, why in enumerate(results) if why), (len(results), EARLY))
    words = worded(why) if count == 1 else f"{worded(why)} (test {at + 1} of {count})"
    return Verdict(0.0, done.chosen.code, done.chosen.rule, words, parts)


def completed(text: str, prompt: str, entry: str) -> list[Found]:
    """Programs in which a function is defined: as a whole, or by a body behind the prompt."""
    defines = function(entry)
    whole = [found for found in candidates(text, defines) if defines.search(found.code)]
    continued = [Found(f"{prompt.rstrip()}\n{body}", "body") for body in bodies(text) if body.strip()]
    return [*whole, *continued]


def function(name: str) -> re.Pattern[str]:
    """What defines a function, or binds its name."""
    return re.compile(
        rf"^[ \t]*(?:async\s+)?(?:def\s+{re.escape(name)}\s*\(|{re.escape(name)}\s*=|class\s+{re.escape(name)}\b)", re.M
    )


def column(sample: Sample, name: str) -> Any:
    """A column that scoring needs; raises EvaluationError."""
    try:
        return sample.meta[name]
    except KeyError:
        raise EvaluationError(
            f"the sample has no {name!r}; its column belongs to args.meta or evaluation.join"
        ) from None


KINDS: dict[str, Callable[[str, Sample, Code], Verdict]] = {
    "humaneval": humaneval,
    "mbpp": mbpp,
    "humanevalx": humanevalx,
    "livecodebench": livecodebench,
    "stdio": livecodebench,
}
EVALUATORS = {"code": Evaluator(score, "The code passes the tests of its task, in a sandbox.", "pass@1", Code)}
