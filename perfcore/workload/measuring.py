"""Width and height of pictures; a module of its own because the library is slow to load."""

import io

from PIL import Image, UnidentifiedImageError


def measured(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, as the file's header says them; raises ValueError for what is no picture."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error) or "it is no picture") from None
