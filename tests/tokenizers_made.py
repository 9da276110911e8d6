"""Small tokenizers of the usual families, trained on the spot on text that perfcore makes."""

from functools import lru_cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from perfcore.workload.tokens import LocalTokenizer
from perfcore.workload.words import sentences, unit_texts

FAMILIES = ("bytes", "sentencepiece", "unigram", "wordpiece", "letters")
TEMPLATES = {
    "marks": "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}<|assistant|>\n",
    "stripping": "<s>{% for m in messages %}[INST] {{ m.content | trim }} [/INST]{% endfor %}",
    "lines": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}assistant:",
    "whole": "{% for m in messages %}{{ m.content | length }} {{ m.content }}\n{% endfor %}",
}
SPECIAL = ["<s>", "</s>", "<unk>", "<|user|>", "<|assistant|>", "<|system|>"]


@lru_cache
def made(family: str, template: str = "") -> LocalTokenizer:
    """A tokenizer of a family, with a chat template or without one."""
    wrap: Any = PreTrainedTokenizerFast
    wrapped = wrap(tokenizer_object=trained(family), bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    wrapped.chat_template = TEMPLATES[template] if template else None
    return LocalTokenizer(family, wrapped)


@lru_cache
def trained(family: str) -> Tokenizer:
    """What is below it."""
    text = "".join(np.array(unit_texts(), object)[sentences(np.random.default_rng(1), 6000)].tolist())
    inner: Tokenizer = BUILD[family](text.split(".") + list(map(chr, range(32, 127))))
    return inner


def byte_level(texts: list[str]) -> Tokenizer:
    """As those of GPT-2 and Llama 3, with a token of the beginning."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=900, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    return framed(inner)


def sentencepiece(texts: list[str]) -> Tokenizer:
    """As that of Llama 2: blanks become part of words, and nothing cuts the text before."""
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    inner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=900, special_tokens=SPECIAL))
    inner.pre_tokenizer = None
    inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return framed(inner)


def unigram(texts: list[str]) -> Tokenizer:
    """As that of T5."""
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    inner.train_from_iterator(texts, trainers.UnigramTrainer(vocab_size=900, special_tokens=SPECIAL, unk_token="<unk>"))
    return framed(inner)


def wordpiece(texts: list[str]) -> Tokenizer:
    """As that of BERT, which knows no capital letters."""
    inner = Tokenizer(models.WordPiece(unk_token="<unk>"))
    inner.normalizer, inner.decoder = normalizers.BertNormalizer(), decoders.WordPiece(cleanup=False)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=900, special_tokens=SPECIAL))
    return framed(inner)


def letters(texts: list[str]) -> Tokenizer:
    """Every byte a token, so that no word is one."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        [], trainers.BpeTrainer(vocab_size=262, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    return framed(inner)


def framed(inner: Tokenizer) -> Tokenizer:
    """With the token of the beginning before each text."""
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", inner.token_to_id("<s>"))]
    )
    return inner


BUILD: dict[str, Any] = {
    "bytes": byte_level,
    "sentencepiece": sentencepiece,
    "unigram": unigram,
    "wordpiece": wordpiece,
    "letters": letters,
}
