"""JSON files of a run, whose faults are said in one line."""

import json
from pathlib import Path
from typing import Any

from carcinosis_loc.annotations.fields import Entry, shown
from carcinosis_loc.errors import InputError


def check_ordinary(path: Path) -> None:
    """Refuse a pipe or a device in the place of a file: it would block, or never end.

    Raises:
        InputError: it is one.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no ordinary file; carcloc writes one")


def read_json(path: Path) -> Any:
    """The value that a file holds.

    Raises:
        InputError: it cannot be read, or is no JSON.
    """
    check_ordinary(path)
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this file is no valid JSON ({error})") from error


def read_object(path: Path) -> dict[str, Any]:
    """The object that a file holds.

    Raises:
        InputError: as ``read_json``, or it holds something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: the top level must be a JSON object, not {shown(value)}")
    return value


def inner_path(folder: Path, entry: Entry, name: Any) -> Path:
    """The path of what an entry names, which must lie in ``folder``.

    Raises:
        InputError: it does not, or ``name`` is no name of a file.
    """
    if not isinstance(name, str) or "\0" in name:
        raise entry.error(f"{shown(name)} is no name of a file")
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise entry.error(f"{shown(name)} lies outside {folder}")
    return folder / name
