import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore_ext.paths import MalformedJSON, PathSet, chars, integer
from tests.reference import paths as reference
from tests.reference.sse import decode_sse

WIRE = Path(__file__).parent / "data" / "wire"
untimed = settings(deadline=None)  # the machine may be busy

CHAT = [
    "choices.0.delta.content",
    "choices.0.delta.tool_calls.*.function.arguments",
    "choices.0.finish_reason",
    "usage.prompt_tokens",
    "error.message",
    "error",
    "choices.0.delta.role",
]
CHUNK = (
    b'{"id":"chatcmpl-123","object":"chat.completion.chunk","created":1720000000,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":" hello"},"logprobs":null,"finish_reason":null}]}'
)

# --- documents as text, with few keys so that the paths meet them, spelled in every way that JSON allows ---

KEYS = ["a", "b", "0", "1", "*", "a.b", "\\", "é", "😀", "", "longer_key", "longer_kex", "eight___", '"', "\n"]
PARTS = ["a", "b", "0", "1", "*", "é", "😀", r"\*", r"a\.b", r"\\", "longer_key", "eight___"]
path_lists = st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(".".join), max_size=6)
spaces = st.sampled_from(["", "", "", " ", "\n", "\t\r "])
numbers = st.sampled_from(["0", "-0", "12", "-7.50", "1e9", "2E-3", "0.0e+0", "123456789012345678901234567890"])


@st.composite
def strings(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(KEYS) | st.text(max_size=20))
    plain = json.dumps(text, ensure_ascii=False)
    escaped = "".join(f"\\u{unit:04{draw(st.sampled_from('xX'))}}" for unit in utf16(text))
    return draw(st.sampled_from([plain, json.dumps(text), f'"{escaped}"']))


def utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-le", "surrogatepass")
    return [raw[i] | raw[i + 1] << 8 for i in range(0, len(raw), 2)]


@st.composite
def containers(draw: st.DrawFn, members: st.SearchStrategy[str]) -> str:
    values = [draw(spaces) + value + draw(spaces) for value in draw(st.lists(members, max_size=4))]
    if draw(st.booleans()):
        return "[" + (",".join(values) or draw(spaces)) + "]"
    pairs = [draw(spaces) + draw(strings()) + draw(spaces) + ":" + value for value in values]
    return "{" + (",".join(pairs) or draw(spaces)) + "}"


scalars = strings() | numbers | st.sampled_from(["true", "false", "null"])
documents = st.recursive(scalars, containers, max_leaves=15).map(str.encode)
fragments = st.sampled_from([*'{}[],:"\\0123456789.eE+- \t', "null", "tru", '"a":', "\\u", "\\ud83d", "\0", "\x1f"])


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A document with a few bytes gone and something else in their place; now and then it is still one."""
    document = draw(documents)
    at = draw(st.integers(0, len(document)))
    gone = draw(st.integers(0, 3))
    return document[:at] + draw(fragments.map(str.encode) | st.binary(max_size=2)) + document[at + gone :]


def decoded(match: tuple[int, str, bytes]) -> tuple[int, str, Any]:
    path, kind, raw = match
    return path, kind, reference.parse(b'"' + raw + b'"' if kind == "string" else raw)


def assert_agrees(paths: list[str], document: bytes) -> None:
    try:
        expected = reference.match(paths, document)
    except (reference.MalformedError, reference.TooDeepError):
        with pytest.raises(MalformedJSON) as error:
            PathSet(paths).match(document)
        assert 0 <= error.value.position <= len(document)
    else:
        assert [decoded(match) for match in PathSet(paths).match(document)] == expected


@untimed
@given(path_lists, documents)
def test_matches_of_any_document_are_those_of_the_reference(paths: list[str], document: bytes) -> None:
    assert_agrees(paths, document)


@untimed
@given(path_lists, damaged())
def test_damaged_document_is_refused_where_the_reference_refuses_it(paths: list[str], document: bytes) -> None:
    assert_agrees(paths, document)


@untimed
@given(path_lists, st.lists(fragments, max_size=30).map("".join).map(str.encode) | st.binary(max_size=40))
def test_bytes_that_are_hardly_json_are_refused_where_the_reference_refuses_them(paths: list[str], data: bytes) -> None:
    assert_agrees(paths, data)


@untimed
@given(documents, st.integers(0, 1 << 16))
def test_document_cut_short_is_refused_where_the_reference_refuses_it(document: bytes, place: int) -> None:
    assert_agrees(["a", "*.0"], document[: place % len(document)])


def test_chat_chunk_gives_its_content_and_finish_reason() -> None:
    assert PathSet(CHAT).match(CHUNK) == [(0, "string", b" hello"), (2, "null", b"null")]


def test_inner_value_is_reported_before_the_one_around_it() -> None:
    document = b'{"error": {"message" : "no", "code":4 } }'
    assert PathSet(CHAT).match(document) == [(4, "string", b"no"), (5, "object", b'{"message" : "no", "code":4 }')]


@pytest.mark.parametrize(
    ("path", "document", "raw"),
    [
        ("a", b'{"a":"x\\"\\n"}', [b'x\\"\\n']),
        ("a", b'{"\\u0061":1}', [b"1"]),
        ("a", b'{"a":1,"b":2,"a":3}', [b"1", b"3"]),
        ("a.b", b'{"a.b":1,"a":{"b":2}}', [b"2"]),
        (r"a\.b", b'{"a.b":1,"a":{"b":2}}', [b"1"]),
        ("*", b"[1,2,[3]]", [b"1", b"2", b"[3]"]),
        ("*.*", b'{"a":[1,{}],"b":2}', [b"1", b"{}"]),
        (r"\*", b'{"*":1,"a":2}', [b"1"]),
        ("1", b"[0, 12.50 ,2]", [b"12.50"]),
        ("1", b'{"1":true}', [b"true"]),
        ("01", b'{"01":true}', [b"true"]),
        ("01", b"[0,1]", []),
        ("a", b"[0]", []),
        ("0", b'"0"', []),
        ("10", b"[0,1,2,3,4,5,6,7,8,9,[ ]]", [b"[ ]"]),
        ("éa", '{"\\u00e9a":1,"éa":2}'.encode(), [b"1", b"2"]),
        ("😀", b'{"\\ud83d\\ude00":1,"\\ud83d":2}', [b"1"]),
        (r"a\\n", b'{"a\\n":1,"a\\\\n":2}', [b"2"]),
        ("x" * 70, b'{"' + b"x" * 69 + b'":1,"' + b"x" * 70 + b'":2}', [b"2"]),
    ],
)
def test_path_finds_these_values(path: str, document: bytes, raw: list[bytes]) -> None:
    assert [found for _, _, found in PathSet([path]).match(document)] == raw


def test_value_that_several_paths_reach_is_reported_for_each_in_their_order() -> None:
    found = PathSet(["a.*", "*.0", "a.0", "a.0", "*.*", "b"]).match(b'{"a":[1]}')
    assert found == [(path, "number", b"1") for path in range(5)]


@pytest.mark.parametrize(
    ("document", "position"),
    [
        (b"", 0),
        (b"  ", 2),
        (b"{", 1),
        (b'{"a":1,}', 7),
        (b"[1,]", 3),
        (b"[1 2]", 3),
        (b'{"a" 1}', 5),
        (b"{a:1}", 1),
        (b"01", 1),
        (b"1.", 2),
        (b"-", 1),
        (b"+1", 0),
        (b".5", 0),
        (b"1e", 2),
        (b"nul", 0),
        (b"NaN", 0),
        (b"truee", 4),
        (b'"a\nb"', 2),
        (b'"abc', 4),
        (b'"\\x"', 1),
        (b'"\\u12g4"', 1),
        (b'"a\\', 3),
        (b"{} x", 3),
        (b"[}", 1),
        (b"\xef\xbb\xbf{}", 0),
        (b"<html>", 0),
        (b"1\0", 1),
    ],
)
def test_malformed_document_names_the_byte(document: bytes, position: int) -> None:
    with pytest.raises(MalformedJSON) as error:
        PathSet(["a"]).match(document)
    assert error.value.position == position


@pytest.mark.parametrize("before", [0, 5, 8, 15, 16, 33])
def test_only_control_characters_may_not_stand_in_a_string(before: int) -> None:
    for byte in set(range(256)) - set(b'"\\'):
        document = b'["' + b"x" * before + bytes([byte]) + b"y" * 20 + b'"]'
        if byte >= 32:
            assert PathSet(["0"]).match(document) == [(0, "string", document[2:-2])]
        else:
            with pytest.raises(MalformedJSON, match=f"byte {before + 2}$"):
                PathSet(["0"]).match(document)


def test_matches_before_an_error_are_kept() -> None:
    with pytest.raises(MalformedJSON) as error:
        PathSet(CHAT).match(CHUNK[:-10])
    assert error.value.matches == [(0, "string", b" hello")]


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_of_128_passes_and_129_does_not(opening: bytes, closing: bytes) -> None:
    paths = PathSet([".".join(["*"] * 128)])
    assert paths.match(opening * 128 + b"7" + closing * 128) == [(0, "number", b"7")]
    with pytest.raises(MalformedJSON, match="too deep") as error:
        paths.match(opening * 1_000_000)
    assert error.value.position == 128 * len(opening)


def test_as_many_matches_as_an_array_has_elements() -> None:
    found = PathSet(["*"]).match(b"[" + b"1," * 100_000 + b"2]")
    assert len(found) == 100_001
    assert found[-1] == (0, "number", b"2")


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a\\", r"a\b"])
def test_path_with_an_empty_part_or_an_unknown_escape_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="JSON path"):
        PathSet([path])


def test_paths_that_would_need_too_many_states_are_refused() -> None:
    with pytest.raises(ValueError, match="wildcards"):
        PathSet([".".join(["*"] * i + ["a"] + ["*"] * (20 - i)) for i in range(20)])


@pytest.mark.parametrize("name", ["transformers-serve.sse", "llama-cpp-python.sse", "litellm-proxy.sse"])
def test_events_of_a_real_server_match_as_in_the_reference(name: str) -> None:
    body = (WIRE / name).read_bytes()
    documents = [data for data, _ in decode_sse(body)[0] if data != b"[DONE]"]
    for document in documents:
        assert_agrees(CHAT, document)
    matches = PathSet(CHAT).count(documents)
    done = body.count(b"[DONE]")
    assert PathSet(CHAT).scan(body) == (len(documents) + done, matches, done)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("é漢😀", 3),
        (r"\n\"\\", 3),
        (r"\u00e9", 1),
        (r"\ud83d\ude00", 1),
        (r"\ud83d", 1),
        (r"\ude00", 0),
    ],
)
def test_chars_counts_code_points(text: str, count: int) -> None:
    assert chars(text.encode()) == count


@untimed
@given(st.lists(strings()))
def test_chars_of_fragments_add_up_to_the_length_of_the_text(parts: list[str]) -> None:
    bodies = [part[1:-1] for part in parts]
    assert sum(chars(body.encode()) for body in bodies) == len(json.loads('"' + "".join(bodies) + '"'))


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"0", 0), (b"12", 12), (b"12.0", 12), (b"12.000", 12), (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775808", -1), (b"99999999999999999999", -1), (b"12.5", -1), (b"-1", -1), (b"1e3", -1),
        (b"", -1), (b"12.", -1), (b".0", -1), (b"null", -1), (b"12 ", -1),
    ],
)  # fmt: skip
def test_integer_reads_only_non_negative_integers(number: bytes, value: int) -> None:
    assert integer(number) == value


TEMPLATES = (
    '{"id":"x","choices":[{"delta":{"content":%s},"finish_reason":null}],"usage":null}',
    '{"choices":[{"delta":{"role":"assistant","content":%s}}],"id":"%%"}',
    '{"choices":[{"delta":{"content":%s,"reasoning":%s}}]}',
    '{"error":{"message":%s}}',
    "[%s]",
)
ALIKE = ["choices.0.delta.content", "choices.0.delta.reasoning", "choices.0.finish_reason", "error.message", "error"]


def outcome(paths: PathSet, document: bytes) -> tuple[str, object]:
    """What matching gives: the matches, or where it fails."""
    try:
        return "matches", paths.match(document)
    except MalformedJSON as error:
        return "malformed", (error.position, error.matches)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(TEMPLATES), st.text(max_size=12), st.integers(0, 200), st.booleans())))
def test_documents_that_are_alike_match_as_each_would_alone(
    documents: list[tuple[str, str, int, bool]],
) -> None:
    together = PathSet(ALIKE)
    for template, text, at, damaged in documents:
        document = bytearray(template.replace("%s", json.dumps(text)).encode())
        if damaged:
            document[at % len(document)] ^= 1 << (at % 8)
        assert outcome(together, bytes(document)) == outcome(PathSet(ALIKE), bytes(document))
