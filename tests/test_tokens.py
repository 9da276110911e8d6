"""Tokenizers: what they count, how they are refused, and which of their tokens are ordinary."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.workload.tokens import LocalTokenizer, load, opened
from tests.tokenizers_made import FAMILIES, made

MODEL = Path(__file__).parent / "data" / "tiny-add"
SAID = [{"role": "user", "content": "What is 2 plus 3?"}]


def tiny() -> LocalTokenizer:
    return load(str(MODEL))


def test_counts_are_the_numbers_of_ids() -> None:
    texts = ["Hello world", "", "2 plus 3 is 5.\n", "äöü 漢字"]
    assert tiny().counts(texts) == [len(ids) for ids in tiny().encode(texts)]
    assert tiny().decode(tiny().encode(texts)) == texts


def test_the_chat_template_is_counted_around_a_prompt() -> None:
    rendered = tiny().inner.apply_chat_template(SAID, tokenize=False, add_generation_prompt=True)
    exact = len(tiny().inner.encode(rendered, add_special_tokens=False))
    assert tiny().prompt_counts([str(SAID[0]["content"])], chat=True) == tiny().chat_counts([SAID]) == [exact]
    assert tiny().chat_overhead == exact - tiny().counts([str(SAID[0]["content"])])[0] == 11


def test_a_system_message_adds_its_text_and_its_frame() -> None:
    short, long = tiny().system_overhead("Be nice."), tiny().system_overhead("Be nice. Be nice.")
    assert short > tiny().chat_overhead + tiny().counts(["Be nice."])[0]
    assert long - short == tiny().counts(["Be nice. Be nice."])[0] - tiny().counts(["Be nice."])[0]


@pytest.mark.parametrize("template", ["marks", "stripping", "lines", "whole"])
def test_every_template_is_counted_as_it_is_rendered(template: str) -> None:
    tokenizer = made("bytes", template)
    texts = ["One day", "  blanks around it \n", "It ends. Here."]
    whole = [[{"role": "user", "content": text}] for text in texts]
    assert tokenizer.prompt_counts(texts, chat=True) == tokenizer.chat_counts(whole)


def test_a_plain_prompt_gets_the_token_of_the_beginning() -> None:
    assert made("bytes").overhead(chat=False) == made("bytes").ahead(chat=False) == 1
    assert tiny().overhead(chat=False) == 0


def test_without_a_template_messages_are_their_text() -> None:
    tokenizer = made("bytes")
    assert not tokenizer.has_template
    assert tokenizer.prompt_counts(["One day"], chat=True) == tokenizer.counts(["One day"])


def test_what_the_template_puts_before_a_prompt_is_told_apart() -> None:
    before, _ = tiny().frame or ("", "")
    assert tiny().ahead(chat=True) == tiny().counts([before])[0]


def test_messages_that_a_template_refuses_are_the_users_mistake() -> None:
    tokenizer = made("bytes", "marks")
    refusing = LocalTokenizer("refusing", pickle.loads(pickle.dumps(tokenizer.inner)))
    refusing.inner.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(UserError, match=r"refuses messages.*must alternate"):
        refusing.chat_counts([SAID])


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_ordinary_tokens_survive_the_way_through_text_beside_any_others(numbers: list[int]) -> None:
    plain = tiny().plain
    ids = [int(plain.ids[number % len(plain.ids)]) for number in numbers]
    anchor = tiny().encode(["a"])[0]
    assert tiny().encode(tiny().decode([anchor + ids])) == [anchor + ids]


@pytest.mark.parametrize("family", FAMILIES)
def test_ordinary_tokens_are_never_special_nor_parts_of_characters(family: str) -> None:
    tokenizer = made(family)
    assert len(tokenizer.plain.ids) > 50
    assert not set(tokenizer.plain.ids.tolist()) & set(tokenizer.inner.get_added_vocab().values())
    assert all("\ufffd" not in text and text.strip() for text in tokenizer.plain.texts)


def test_a_tokenizer_goes_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(tiny()))
    assert np.array_equal(copy.plain.ids, tiny().plain.ids)
    assert opened(copy, False) is copy
    assert opened(str(MODEL), False) is tiny()
    assert opened(None, False) is None


def test_its_file_stands_for_the_folder() -> None:
    assert load(str(MODEL / "tokenizer.json")).counts(["Hello"]) == tiny().counts(["Hello"])


def test_one_that_cuts_and_fills_its_texts_does_not_do_so_here(tmp_path: Path) -> None:
    copy = shutil.copytree(MODEL, tmp_path / "model", ignore=shutil.ignore_patterns("*.gguf", "*.safetensors"))
    inner = pickle.loads(pickle.dumps(tiny().fast))
    inner.enable_truncation(8)
    inner.enable_padding(length=8)
    inner.save(str(copy / "tokenizer.json"))
    assert load(str(copy)).counts(["one", "one " * 50]) == tiny().counts(["one", "one " * 50])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "not-there", "neither a folder nor a model in the cache"),
        (lambda folder: folder, "cannot be loaded"),
        (lambda folder: garbage(folder, b"{"), "cannot be loaded"),
        (lambda folder: garbage(folder, b"\xff\x00\x01"), "cannot be loaded"),
        (lambda folder: garbage(folder, b'{"version": "1.0", "model": {}}'), "cannot be loaded"),
    ],
)
def test_what_is_no_tokenizer_is_refused_in_a_sentence(tmp_path: Path, make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match=words) as refused:
        load(str(make(tmp_path)))
    assert "\n" not in str(refused.value)


def garbage(folder: Path, content: bytes) -> Path:
    (folder / "tokenizer.json").write_bytes(content)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    return folder


def test_code_of_a_tokenizer_runs_only_when_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["own.Own", null]}}')
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match="--trust-remote-code"):
        load(str(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_the_library_is_loaded_only_with_a_tokenizer() -> None:
    code = "import sys, perfcore.workload.synthetic; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_loading_one_says_nothing() -> None:
    code = f"from perfcore.workload.tokens import load; load({str(MODEL)!r}).counts(['a'])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert found.stdout + found.stderr == b""
