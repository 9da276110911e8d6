"""Pictures of any size, by a seed, as data: URLs."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

TILE = 32  # pixels of a pattern's squares
FAST = 1  # of zlib's levels: noise cannot be packed, and patterns are small anyway


def urls(seeds: Sequence[int], count: int, size: tuple[int, int], form: str, content: str) -> list[str]:
    """data: URLs of `count` pictures of (width, height) pixels, as png or jpeg, of noise or of a pattern."""
    return [url(np.random.default_rng([*seeds, number]), size, form, content) for number in range(count)]


def url(rng: np.random.Generator, size: tuple[int, int], form: str, content: str) -> str:
    """data: URL of one picture."""
    width, height = size
    if content == "noise":
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    else:
        squares = rng.integers(0, 256, (-(-height // TILE), -(-width // TILE), 3), np.uint8)
        pixels = squares.repeat(TILE, 0).repeat(TILE, 1)[:height, :width]
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, form, **({"compress_level": FAST} if form == "png" else {"quality": 85}))
    return f"data:image/{form};base64,{base64.b64encode(packed.getvalue()).decode()}"
