"""Calls of functions: how they are found in answers, what matches a possible answer, and `perfcore eval` of BFCL."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evaluators.bfcl import BFCL, EVALUATORS, score, totals
from evaluators.errors import EvaluationError
from evaluators.functions.calls import in_text
from evaluators.sample import Sample, Verdict
from perfcore.errors import UserError
from perfcore.workload import registry
from perfcore.workload.row import Row
from tests.calling import LARGE, needs_data, right_calls, right_text, rows

SHAPES = ("simple", "multiple", "parallel", "parallel_multiple")
WITH_ANSWERS = (*SHAPES, "java", "javascript", *(f"live_{name}" for name in SHAPES))


def sample_of(row: Row, **more: Any) -> Sample:
    given = {"id": row.id, "subset": row.subset, "reference": row.reference, "meta": row.meta}
    return Sample(**{**given, **more})


def replaced(sample: Sample, **more: Any) -> Sample:
    return msgspec.structs.replace(sample, **more)


def verdict(sample: Sample, text: str = "", calls: str = "") -> Verdict:
    return score(text, sample, BFCL(calls=calls))  # type: ignore[arg-type]


def told(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Calls as a service tells them apart."""
    return [{"id": None, "name": name.replace(".", "_"), "arguments": json.dumps(given)} for name, given in calls]


@needs_data
@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_possible_answers_as_predictions_are_all_right(name: str) -> None:
    for row in rows(f"BFCL_gen_{name}", LARGE):
        by_tools = verdict(sample_of(row, tool_calls=told(right_calls(row))))
        by_text = verdict(sample_of(row), right_text(row), "text")
        assert (by_tools.score, by_text.score) == (1.0, 1.0), (row.id, by_tools.why, by_text.why)


@needs_data
@pytest.mark.parametrize("name", WITH_ANSWERS)
def test_possible_answers_to_other_questions_are_wrong(name: str) -> None:
    all_rows = rows(f"BFCL_gen_{name}", LARGE)
    other = all_rows[len(all_rows) // 2 :] + all_rows[: len(all_rows) // 2]
    scores = [
        verdict(sample_of(row, tool_calls=told(right_calls(one)))).score
        for row, one in zip(all_rows, other, strict=True)
    ]
    assert sum(scores) <= max(2, len(scores) / 50)  # some rows ask the same


@needs_data
@pytest.mark.parametrize(
    ("name", "none", "some"), [("irrelevance", 1, 0), ("live_irrelevance", 1, 0), ("live_relevance", 0, 1)]
)
def test_where_no_function_helps_no_call_is_right_and_where_one_does_any(name: str, none: int, some: int) -> None:
    for row in rows(f"BFCL_gen_{name}", LARGE):
        assert verdict(sample_of(row), "I cannot do that (sorry).").score == none
        assert verdict(sample_of(row, tool_calls=told([("f", {})]))).score == some
        assert verdict(sample_of(row), "[f(a=1)]", "text").score == some


def function(name: str = "f", required: Sequence[str] = (), **parameters: Any) -> dict[str, Any]:
    properties = {key: {"type": kind} if isinstance(kind, str) else kind for key, kind in parameters.items()}
    return {"name": name, "parameters": {"type": "dict", "properties": properties, "required": list(required)}}


def of_value(kind: Any, options: Sequence[Any], subset: str = "simple_python") -> Sample:
    """A row that asks for f(a=...) with one of these values."""
    meta = {"function": [function(a=kind, required=["a"])]}
    return Sample(id=f"{subset}_0", subset=subset, reference=[{"f": {"a": list(options)}}], meta=meta)


FLOATS, TEXTS = {"type": "array", "items": {"type": "float"}}, {"type": "array", "items": {"type": "string"}}
OBJECTS, PAIR = {"type": "array", "items": {"type": "dict"}}, {"type": "tuple", "items": {"type": "integer"}}
TOWN = {"town": ["Rome", "Roma"], "days": [2, ""]}


@pytest.mark.parametrize(
    ("kind", "options", "value", "right"),
    [
        ("integer", [5], "5", True),
        ("integer", [5], "2 + 3", True),
        ("integer", [-5], "-5", True),
        ("integer", [5], "5.0", False),
        ("integer", [5], "'5'", False),
        ("integer", [1], "True", False),
        ("float", [5.0], "5", True),
        ("float", [0.5], "1/2", True),
        ("float", [5.0], "'5.0'", False),
        ("boolean", [True], "True", True),
        ("boolean", [True], "true", False),
        ("boolean", [True], "1", False),
        ("string", ["New York, NY"], "'new york NY'", True),
        ("string", ["2024-05-01"], "'2024/05/01'", True),
        ("string", ["it's"], "'it\"s'", True),
        ("string", ["New York"], "'New York!'", False),
        ("string", ["Paris", "Rome"], "'rome'", True),
        ("string", ["5"], "5", False),
        ("string", [None, "x"], "None", True),
        ("any", ["x"], "x", True),
        ("integer", ["size"], "size", True),
        ("integer", ["size"], "Size", False),
        (FLOATS, [[1.0, 2.5]], "[1.0, 2.5]", True),
        (FLOATS, [[1.0, 2.0]], "[1, 2]", False),
        (FLOATS, [[1, 2]], "[1, 2]", True),
        (FLOATS, [[1.0, 2.5]], "[2.5, 1.0]", False),
        (FLOATS, [[1.0, 2.5]], "(1.0, 2.5)", False),
        (PAIR, [[1, 2]], "(1, 2)", True),
        (PAIR, [[1, 2]], "[1, 2]", True),
        (TEXTS, [["a b"]], "['A_B']", True),
        (TEXTS, [["a"]], "'a'", False),
        (TEXTS, [["a"], ""], "[]", True),
        (TEXTS, [["a"]], "[]", False),
        ("dict", [TOWN], "{'town': 'roma', 'days': 2}", True),
        ("dict", [TOWN], "{'town': 'Rome'}", True),
        ("dict", [TOWN], "{'days': 2}", False),
        ("dict", [TOWN], "{'town': 'Rome', 'x': 1}", False),
        ("dict", [TOWN], "{'town': 'Oslo'}", False),
        ("dict", [{"in": [{"town": ["Rome"]}]}], "{'in': {'town': 'rome'}}", True),
        ("dict", [{"in": [{"town": ["Rome"]}]}], "{'in': {'town': 'Oslo'}}", False),
        (OBJECTS, [[TOWN, TOWN]], "[{'town': 'Rome'}, {'town': 'Roma'}]", True),
        (OBJECTS, [[TOWN, TOWN]], "[{'town': 'Rome'}]", False),
        (OBJECTS, [[TOWN]], "[['Rome']]", False),
    ],
)
def test_a_value_is_right_by_type_and_normal_form(kind: Any, options: list[Any], value: str, right: bool) -> None:
    found = verdict(of_value(kind, options), f"[f(a={value})]", "text")
    assert found.score == right, found.why
    assert right or found.why.startswith(("a of f is ", "f lacks"))


STRINGS = {"type": "Array", "items": {"type": "String"}}
LONGS = {"type": "ArrayList", "items": {"type": "long"}}
MIXED = {"type": "ArrayList", "items": {"type": "any"}}
ARRAY, GRID = {"type": "array", "items": {"type": "String"}}, {"type": "array", "items": {"type": "array"}}


@pytest.mark.parametrize(
    ("language", "kind", "options", "value", "right"),
    [
        ("java", "integer", [5], "5", True),
        ("java", "long", [5], "5L", True),
        ("java", "long", [5], "5", False),
        ("java", "float", [1.5], "1.5f", True),
        ("java", "float", [1.5], "1.5", False),
        ("java", "double", [1.5], "1.5", True),
        ("java", "boolean", [True], "true", True),
        ("java", "boolean", [True], "True", False),
        ("java", "String", ["a, b"], '"a, b"', True),
        ("java", "any", ["null"], "null", True),
        ("java", "any", ["new Point(1, 2)"], "new Point(1, 2)", True),
        ("java", "integer", ["Side.LEFT"], "Side.LEFT", True),
        ("java", STRINGS, [["a,b", "c"]], 'new String[]{"a,b", "c"}', True),
        ("java", STRINGS, [["a", "c"]], 'new String[]{"c", "a"}', False),
        ("java", LONGS, [[1, 2]], "new ArrayList<Long>(Arrays.asList(1L, 2L))", True),
        ("java", LONGS, [[1, 2]], "new ArrayList<>() {{ add(1L); add(2L); }}", True),
        ("java", LONGS, [[1, 2]], "[1, 2]", False),
        ("java", MIXED, [["a", 1, True]], 'new ArrayList<>(Arrays.asList("a", 1, true))', True),
        (
            "java",
            "HashMap",
            [{"a": ["x"], "b": [2]}],
            'new HashMap<String, Object>() {{ put("a", "x"); put("b", 2); }}',
            True,
        ),
        ("java", "HashMap", [{"a": ["x"]}], 'new HashMap<>() {{ put("a", "y"); }}', False),
        ("java", "HashMap", [{}], "new HashMap<>()", True),
        ("javascript", "integer", [5], "5", True),
        ("javascript", "Bigint", [5], "5n", True),
        ("javascript", "float", [5.0], "5", True),
        ("javascript", "Boolean", [False], "false", True),
        ("javascript", "String", ["it"], "'it'", True),
        ("javascript", "any", ["(x) => x > 3"], "(x) => x > 3", True),
        ("javascript", ARRAY, [["a", "b"]], "['a', \"b\"]", True),
        ("javascript", ARRAY, [["a", "b"]], "new Array('a', 'b')", True),
        ("javascript", GRID, [[[1, 2], [3, 4]]], "[[1, 2], [3, 4]]", True),
        ("javascript", "dict", [{"a": ["x"], "b": [[1, 2]]}], "{a: 'x', \"b\": [1, 2]}", True),
        ("javascript", "dict", [{"a": ["x"]}], "{a: 'x', b: 1}", False),
        ("javascript", "dict", [{"f": ["go(1, 2)"]}], "{f: go(1, 2)}", True),
    ],
)
def test_a_value_of_java_and_javascript_is_read_from_its_source(
    language: str, kind: Any, options: list[Any], value: str, right: bool
) -> None:
    sample = of_value(kind, options, f"simple_{language}")
    found = verdict(sample, f"[f(a={value})]", "text")
    assert found.score == right, found.why
    plain = json.dumps({"a": value})
    assert verdict(replaced(sample, tool_calls=[{"name": "f", "arguments": plain}])).score == right


BOTH = [function("f", ["a"], a="integer", b="string"), function("g.h", ["c"], c="integer")]


@pytest.mark.parametrize(
    ("possible", "text", "why"),
    [
        ([{"f": {"a": [1], "b": ["x", ""]}}], "[f(a=1)]", ""),
        ([{"f": {"a": [1], "b": ["x"]}}], "[f(a=1)]", "f lacks b, whose default would be wrong"),
        ([{"f": {"a": [1]}}], "[f(b='x')]", "f lacks a, which is required"),
        ([{"f": {"a": [1]}}], "[f(1)]", "f lacks a, which is required"),
        ([{"f": {"a": [1]}}], "[f(a=1, b='x')]", "f has no b that may be given"),
        ([{"f": {"a": [1]}}], "[g(a=1)]", "g is called, not f"),
        ([{"f": {"a": [1]}}], "[f(a=1), f(a=1)]", "2 calls in the place of 1"),
        ([{"f": {"a": [1]}}], "[]", "the list of calls is empty"),
        ([{"f": {"a": [1]}}], "I would call [f(a=1)] here.", "the text holds no calls"),
        ([{"f": {"a": [1]}}, {"g.h": {"c": [2]}}], "[g.h(c=2), f(a=1)]", ""),
        ([{"f": {"a": [1]}}, {"f": {"a": [1]}}], "[f(a=1), f(a=2)]", "none of the calls is the f that is asked for: "),
        ([{"f": {"a": [1, 2]}}, {"f": {"a": [1]}}], "[f(a=1), f(a=2)]", ""),  # the second needs the first call
        (
            [{"f": {"a": [1]}}, {"g.h": {"c": [2]}}],
            "[f(a=1), f(a=1)]",
            "none of the calls is the g.h that is asked for",
        ),
    ],
)
def test_calls_are_matched_one_to_one_in_any_order(possible: list[Any], text: str, why: str) -> None:
    sample = Sample(id="parallel_multiple_0", reference=possible, meta={"function": BOTH})
    found = verdict(sample, text, "text")
    assert found.score == (not why)
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("[f(a=1)]", "text, python"),
        ("f(a=1)", "text, python"),
        ("f(a=1)]", "text, python"),
        ("`[f(a=1)]`", "text, python"),
        ("```python\n[f(a=1)]\n```", "fenced block, python"),
        ("Here it is:\n```\nf(a=1)\n```\nDone.", "fenced block, python"),
        ('[{"name": "f", "arguments": {"a": 1}}]', "text, JSON"),
        ('{"name": "f", "parameters": {"a": 1}}', "text, JSON"),
        ('{"type": "function", "function": {"name": "f", "arguments": "{\\"a\\": 1}"}}', "text, JSON"),
        ('<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>', "tags, JSON"),
    ],
)
def test_calls_are_found_in_a_text(text: str, how: str) -> None:
    found = in_text(text, "python")
    assert [(call.name, call.arguments) for call in found.found] == [("f", {"a": 1})]
    assert found.how == how


@pytest.mark.parametrize(
    "text", ["", "Sorry.", "None", "[1, 2]", '{"answer": {"a": 1}}', "f", "x = f(a=1)", "f(**{'a': 1})"]
)
def test_what_is_no_call_is_none(text: str) -> None:
    assert in_text(text, "python").found == []


HOSTILE = [
    "[" * 100_000,
    "[f(a=" + "[" * 5_000 + "]" * 5_000 + ")]",
    '[{"name": "f", "arguments": ' + '{"a":' * 20_000 + "1" + "}" * 20_000 + "}]",
    "f(a=" + "1+" * 9_000 + "1)",
    "f(a=" + "-" * 18_000 + "1)",
    "f(a=x" + ".y" * 9_000 + ")",
    "f" + "(a=1)" * 3_500,
    "f(a=" + "not " * 4_000 + "1)",
    "f(a=" + "9" * 6_000 + ")",
    "f(a=9**9**9**9)",
    "f(a='x'*10**12)",
    "f(a=1/0)",
    "f(a=1e400)",
    "f(a='\\ud800')",
    "f(a={[1]: 2})",
    "f(a=b'x', b=1j)",
    "f(a=[x for x in ().__class__.__bases__])",
    "f(a=" + "9" * 4_000 + "*" + "9" * 4_000 + ")",
    "f(a=" + "9" * 4_000 + ")",
    "x" * 1_000_000,
    "f(a='" + "x" * 1_000_000 + "')",
    "f(a=" + "a<" * 9_000 + ")",
    "f(a=new HashMap" + " " * 19_000 + ")",
    "f(a=" + "{a:" * 6_000 + "}" * 6_000 + ")",
    "f(a=" + "new A[]{" * 2_000 + "}" * 2_000 + ")",
    "f(a='\x00')",
    "<tool_call>" * 50_000,
    "```\n" * 50_000,
]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("language", ["python", "java", "javascript"])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_do_not_hang_and_are_wrong(text: str, language: str) -> None:
    found = verdict(of_value("dict", [{"x": [1]}], f"simple_{language}"), text, "text")
    assert found.score == 0.0
    assert len(found.why) < 300
    assert msgspec.msgpack.encode([found.extracted, found.why])


@pytest.mark.parametrize("language", ["python", "java", "javascript"])
def test_nothing_of_an_answer_is_run(language: str, tmp_path: Path) -> None:
    for action in (f"open({str(tmp_path / 'hacked')!r}, 'w')", f"__import__('os').mkdir({str(tmp_path / 'hacked')!r})"):
        verdict(of_value("any", ["x"], f"simple_{language}"), f"[f(a={action})]", "text")
        verdict(of_value("any", ["x"], f"simple_{language}"), action, "text")
    assert list(tmp_path.iterdir()) == []


def test_a_megabyte_of_arguments_that_nest_deeply_is_a_broken_call() -> None:
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    broken = [{"name": "f", "arguments": one} for one in (deep, "[1]", "{", "null,")]
    for one in broken:
        found = verdict(replaced(of_value("integer", [1]), tool_calls=[one]))
        assert (found.score, found.why) == (0.0, "the arguments of f are no JSON object")
    assert verdict(Sample(id="irrelevance_0", reference=[], tool_calls=broken[:1])).why.startswith(
        "a function is called"
    )


def test_calls_that_only_the_text_has_do_not_count_where_the_service_has_to_tell_them_apart() -> None:
    sample = of_value("integer", [1])
    assert verdict(sample, "[f(a=1)]", "any").score == 1.0
    assert "parser" in verdict(sample, "[f(a=1)]", "tools").why


def test_calls_that_were_made_but_not_kept_are_an_error_of_the_sample() -> None:
    with pytest.raises(EvaluationError, match="--keep-events always"):
        verdict(replaced(of_value("integer", [1]), finish_reason="tool_calls"))


@pytest.mark.parametrize("text", ["", "   "])
def test_an_answer_that_was_cut_off_before_it_said_anything_has_not_done_without_calls(text: str) -> None:
    asked = Sample(id="irrelevance_0", reference=[])
    assert verdict(replaced(asked, finish_reason="length"), text).score == 0.0
    assert verdict(replaced(asked, finish_reason="stop"), text).score == 1.0


def test_rows_of_several_turns_are_refused_by_name() -> None:
    with pytest.raises(EvaluationError, match="several turns"):
        verdict(Sample(id="multi_turn_base_0"), "[f()]")
    with pytest.raises(UserError, match=r"BFCL_gen_multi_turn_base is not offered: .*several turns"):
        registry.resolved("BFCL_gen_multi_turn_base", None)


def test_the_averages_of_the_leaderboard_are_those_of_its_categories() -> None:
    scores = {"simple_python": [1, 0], "simple_java": [1], "simple_javascript": [0], "multiple": [1], "parallel": [1]}
    scores |= {"parallel_multiple": [0], "live_simple": [1, 1, 1], "live_multiple": [0], "live_parallel": [1]}
    scores |= {"live_parallel_multiple": [0], "irrelevance": [1], "live_irrelevance": [0, 1]}
    pairs = [(Sample(id="x", subset=name), Verdict(one)) for name, values in scores.items() for one in values]
    found = totals([sample for sample, _ in pairs], [one for _, one in pairs], BFCL())
    assert found == pytest.approx(
        {
            "leaderboard_non_live": (0.5 + 1 + 1 + 0) / 4,
            "leaderboard_live": 4 / 6,
            "leaderboard_irrelevance": 0.75,
            "leaderboard_overall": (0.625 + 4 / 6 + 0.75) / 3,
        }
    )
    some = [pair for pair in pairs if pair[0].subset != "multiple"]
    assert "leaderboard_non_live" not in totals([sample for sample, _ in some], [one for _, one in some], BFCL())


def test_the_evaluator_looks_at_empty_answers_too() -> None:
    assert EVALUATORS["bfcl"].empty
