"""Boxes in text: where a model says that something is in a picture, in the forms in which models write it."""

import re
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom
Scale: TypeAlias = Literal["", "1", "1000", "pixels"]
Which: TypeAlias = Literal["first", "last"]

NUMBER = r"[-+]?(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
BETWEEN = r"(?:\s*[,\uff0c]\s*|\s+)"
QUOTED = rf"[\"']?({NUMBER})[\"']?"
FOUR = rf"\s*{QUOTED}{BETWEEN}{QUOTED}{BETWEEN}{QUOTED}{BETWEEN}{QUOTED}\s*"
LIST = rf"\[{FOUR}\]|\[\s*\[\s*({NUMBER})\s*,\s*({NUMBER})\s*\]\s*,\s*\[\s*({NUMBER})\s*,\s*({NUMBER})\s*\]\s*\]"
PAIRS = rf"\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)[\s,;]*(?:and\s*|to\s*|-\s*)?\(\s*({NUMBER})\s*,\s*({NUMBER})\s*\)"
ROUND = rf"\({FOUR}\)"
NAMES = "bbox_2d|bbox|bounding_box|boundingbox|box_2d|box|bndbox|coordinates"
KEY = re.compile(rf"[\"'](?:{NAMES})[\"']\s*:\s*(?:{LIST})", re.IGNORECASE)
TAGS = re.compile(
    r"<box>(.*?)(?:</box>|$)|<\|box_start\|>(.*?)(?:<\|box_end\|>|$)|<bbox>(.*?)(?:</bbox>|$)",
    re.DOTALL | re.IGNORECASE,
)
SIDES = (("x1", "y1", "x2", "y2"), ("x_?min", "y_?min", "x_?max", "y_?max"), ("left", "top", "right", "bottom"))
CORNERS = tuple(
    re.compile(r"[\s,;]*".join(rf"[\"']?\b{name}[\"']?\s*[:=]\s*({NUMBER})" for name in names), re.IGNORECASE)
    for names in SIDES
)
ANYHOW = re.compile(f"{LIST}|{PAIRS}|{ROUND}")
IN_LIST, IN_PAIRS, IN_ROUND = re.compile(LIST), re.compile(PAIRS), re.compile(ROUND)
ALONE = re.compile(FOUR)


class Found(NamedTuple):
    """The numbers of one box as they stand, and by which rule it was found."""

    numbers: Box
    rule: str


def find(text: str, which: Which) -> Found | None:
    """The first or the last box of those that the first rule finds that finds any; None where nothing is a box."""
    for name, rule in RULES:
        boxes = rule(text)
        if boxes:
            more = f", {which} of {len(boxes)}" if len(boxes) > 1 else ""
            return Found(boxes[0 if which == "first" else -1], name + more)
    return None


def boxes_in(text: str, pattern: re.Pattern[str]) -> list[Box]:
    """All boxes that a pattern of four numbers finds, in the order of the text."""
    return [numbers(found) for found in pattern.finditer(text)]


def numbers(found: re.Match[str]) -> Box:
    """The four groups of a match that have something."""
    one, two, three, four = (float(group) for group in found.groups() if group is not None)
    return one, two, three, four


def in_tags(text: str) -> list[Box]:
    """Boxes between tags; four numbers alone are one there."""
    inside = [next(filter(None, found.groups()), "") for found in TAGS.finditer(text)]
    return [box for part in inside for box in (boxes_in(part, ANYHOW) or alone(part))]


def alone(text: str) -> list[Box]:
    """The box of a text that is nothing but four numbers."""
    found = ALONE.fullmatch(text)
    return [numbers(found)] if found else []


def named_corners(text: str) -> list[Box]:
    """Boxes whose sides have names: x1, y1, x2, y2; xmin and so on; left, top, right, bottom."""
    return next((found for found in (boxes_in(text, pattern) for pattern in CORNERS) if found), [])


RULES: tuple[tuple[str, Callable[[str], list[Box]]], ...] = (
    ("key of JSON", lambda text: boxes_in(text, KEY)),
    ("tags", in_tags),
    ("list", lambda text: boxes_in(text, IN_LIST)),
    ("two points", lambda text: boxes_in(text, IN_PAIRS)),
    ("round brackets", lambda text: boxes_in(text, IN_ROUND)),
    ("named sides", named_corners),
    ("four numbers", alone),
)


def in_pixels(box: Box, scale: Scale, size: tuple[float, float] | None) -> Box:
    """A box in pixels with its corners in order, cut to the picture where its (width, height) is known.

    Without a scale, numbers up to 1 are parts of the picture, and all others thousandths of it. Raises ValueError
    where the size is needed and is not there.
    """
    whole = {"1": 1.0, "1000": 1000.0}.get(scale) or (1.0 if max(map(abs, box)) <= 1 else 1000.0)
    if scale != "pixels":
        if size is None:
            raise ValueError("the size of the picture is not known")
        width, height = size
        box = (box[0] / whole * width, box[1] / whole * height, box[2] / whole * width, box[3] / whole * height)
    return inside(in_order(box), size)


def in_order(box: Box) -> Box:
    """The same box from its left upper corner to its right lower one."""
    return min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])


def inside(box: Box, size: tuple[float, float] | None) -> Box:
    """The part of a box that is in the picture."""
    if size is None:
        return box
    width, height = size
    left, right = (min(max(x, 0.0), width) for x in (box[0], box[2]))
    top, bottom = (min(max(y, 0.0), height) for y in (box[1], box[3]))
    return left, top, right, bottom


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes in the same unit, from 0 to 1; 0 where both have no area."""
    common = side(one, other, 0) * side(one, other, 1)
    union = area(one) + area(other) - common
    return common / union if union > 0 else 0.0


def side(one: Box, other: Box, axis: int) -> float:
    """Length that two boxes have in common along an axis."""
    return max(0.0, min(one[axis + 2], other[axis + 2]) - max(one[axis], other[axis]))


def area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def centre_is_in(box: Box, other: Box) -> bool:
    """Whether the middle of a box is within another one."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]
