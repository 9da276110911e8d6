r"""The box that some models, GLM's among them, put around an answer with tokens of their own, as LaTeX writes it."""

import re

OPENING, CLOSING = "<|begin_of_box|>", "<|end_of_box|>"
BOX = re.compile(rf"{re.escape(OPENING)}\s*(.*?)\s*{re.escape(CLOSING)}", re.DOTALL)


def as_latex(text: str) -> str:
    r"""The text with \boxed{} for a box of tokens; half a one is taken off, and one around a \boxed{}."""
    if OPENING not in text and CLOSING not in text:
        return text
    found = BOX.sub(lambda box: box[1] if "\\boxed" in box[1] else rf"\boxed{{{box[1]}}}", text)
    return found.replace(OPENING, "").replace(CLOSING, "")
