"""A figure of matplotlib as a PNG file."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from perfcore.report.files import write


def keep(path: Path, figure: Figure | None) -> None:
    """Write a figure; without one an old file is removed. Raises UserError where the file cannot be written."""
    if figure is None:
        path.unlink(missing_ok=True)
        return
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write(path, image.getvalue())
