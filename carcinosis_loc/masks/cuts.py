"""Which part of which picture becomes which frame: the list that makes a benchmark the same everywhere."""

import csv
from pathlib import Path
from typing import NamedTuple

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import read_bytes
from carcinosis_loc.points import Size

COLUMNS = ("source", "file_name", "split", "group", "left", "top", "width", "height", "out_width", "out_height")


class Cut(NamedTuple):
    """One frame.

    Attributes:
        source: name of the picture, without suffix.
        file_name: of the frame.
        split: train, val or test.
        group: what must not be on both sides of a split, or "".
        left, top: of the window, source pixels.
        window: its size, ``(height, width)``.
        size: the frame's size, ``(height, width)``.
    """

    source: str
    file_name: str
    split: str
    group: str
    left: int
    top: int
    window: Size
    size: Size


def read_cuts(path: Path) -> list[Cut]:
    """Read a list of cuts, a CSV with the columns ``COLUMNS``.

    Raises:
        InputError: it cannot be read, lacks a column, or a value is none; the message names the line.
    """
    try:
        rows = list(csv.DictReader(read_bytes(path).decode("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise InputError(f"{path}: no rows, or no column {missing[0]}; it needs {', '.join(COLUMNS)}")
    cuts = [_cut(path, number, row) for number, row in enumerate(rows, start=2)]
    names = [cut.file_name for cut in cuts]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice:
        raise InputError(f"{path}: two frames are called {twice}")
    return cuts


def _cut(path: Path, line: int, row: dict[str, str]) -> Cut:
    try:
        left, top, width, height, out_width, out_height = (int(row[name]) for name in COLUMNS[4:])
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: line {line}: {', '.join(COLUMNS[4:])} must be whole numbers") from error
    if min(left, top) < 0 or min(width, height, out_width, out_height) < 1:
        raise InputError(f"{path}: line {line}: a window or a size is empty or negative")
    name = row["file_name"]
    if row["split"] not in ("train", "val", "test"):
        raise InputError(f"{path}: line {line}: split must be train, val or test, not {row['split']}")
    if not name or Path(name).name != name or Path(name).suffix.lower() not in (".png", ".jpg"):
        raise InputError(f"{path}: line {line}: file_name must be a plain name ending in .png or .jpg, not {name!r}")
    return Cut(row["source"], name, row["split"], row["group"], left, top, (height, width), (out_height, out_width))
