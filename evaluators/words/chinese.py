"""Words of Chinese text, by jieba."""

import re
import warnings
from functools import lru_cache
from typing import Any

with warnings.catch_warnings():  # jieba's own source warns while it is compiled
    warnings.simplefilter("ignore")
    import jieba


# Characters that jieba itself takes together, and all others.
PART = re.compile(r"[\u4e00-\u9fd5a-zA-Z0-9+#&._%-]{1,200}|[^\u4e00-\u9fd5a-zA-Z0-9+#&._%-]+")


@lru_cache(maxsize=1)
def dictionary() -> Any:
    """jieba with its own dictionary, loaded once a process.

    Its initialize() would write a cache into the shared temporary folder, read what others left there, and log.
    """
    found = jieba.Tokenizer()
    with found.get_dict_file() as file:
        found.FREQ, found.total = found.gen_pfdict(file)
    found.initialized = True
    return found


def words(text: str) -> list[str]:
    """Words in their order; marks are words too, blanks are none.

    jieba's time grows with the square of what has no mark or blank in it, so that this is cut every 200 characters.
    """
    cut = dictionary().cut
    return [word for part in PART.findall(text) for word in cut(part, cut_all=False) if not word.isspace()]
