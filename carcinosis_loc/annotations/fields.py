"""Checked look-ups in a parsed label file: what is wrong is said in one line with file, entry and key."""

import json
import math
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carcinosis_loc.errors import InputError

LARGEST_NUMBER = 2**53  # beyond it, not every integer is a float
_shown = reprlib.Repr()
_shown.maxstring, _shown.maxother = 120, 60


def shown(value: Any) -> str:
    """``value`` as it is quoted in a message: on one line and never long."""
    return _shown.repr(value)


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite JSON number; ``true`` and ``false`` are none."""
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and -LARGEST_NUMBER <= value <= LARGEST_NUMBER


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of one list of a label file.

    Attributes:
        source: the label file.
        list_name: the list's key, such as ``annotations``.
        position: place in that list, from 0.
        fields: the object.
    """

    source: Path
    list_name: str
    position: int
    fields: dict[str, Any]

    def error(self, problem: str) -> InputError:
        """An ``InputError`` that names the file and the entry (by id where it has a usable one)."""
        identity = self.fields.get("id")
        if type(identity) is int and abs(identity) <= LARGEST_NUMBER:
            where = f"{self.list_name.removesuffix('s').replace('categorie', 'category')} id {identity}"
        else:
            where = f"{self.list_name}[{self.position}]"
        return InputError(f"{self.source}: {where}: {problem}")

    def required(self, key: str) -> Any:
        """The value of ``key``, which must be there."""
        try:
            return self.fields[key]
        except KeyError:
            raise self.error(f'the key "{key}" is missing') from None

    def integer(self, key: str, minimum: int = -LARGEST_NUMBER) -> int:
        """The value of ``key``, which must be an integer of at least ``minimum``."""
        value = self.required(key)
        if type(value) is not int or not minimum <= value <= LARGEST_NUMBER:
            least = f" of at least {minimum}" if minimum > -LARGEST_NUMBER else ""
            raise self.error(f'"{key}" must be an integer{least}, not {shown(value)}')
        return value

    def numbers(self, key: str, value: Any) -> list[float]:
        """``value``, which must be a list of finite numbers; ``key`` says where it was found."""
        if type(value) is not list:
            raise self.error(f'"{key}" must be a list of numbers, not {shown(value)}')
        for number in value:
            if not is_number(number):
                raise self.error(f'"{key}" must hold finite numbers only, not {shown(number)}')
        return value


def read_document(path: Path) -> dict[str, Any]:
    """Parse the JSON file at ``path`` as a whole; its top level must be an object. ``read_coco`` walks files instead.

    Raises:
        InputError: the file cannot be read, is no JSON, or is something other than an object.
    """
    document = _read_json(path)
    if not isinstance(document, dict):
        raise InputError(f"{path}: the top level must be a JSON object, not {shown(document)}")
    return document


def read_list(path: Path) -> list[Entry]:
    """Parse the JSON file at ``path``, whose top level must be a list of objects, such as COCO results.

    Raises:
        InputError: the file cannot be read, is no JSON, or is something else.
    """
    document = _read_json(path)
    if not isinstance(document, list):
        raise InputError(f"{path}: the top level must be a JSON list, not {shown(document)}")
    return entries({path.stem: document}, path.stem, path)


def _read_json(path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: this label file cannot be read (no ordinary file)")
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: this label file cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: this file is no valid JSON ({error})") from error


def entries(document: dict[str, Any], key: str, source: Path) -> list[Entry]:
    """The list of objects under ``key``, which must be there; it may be empty."""
    if key not in document:
        raise InputError(f'{source}: the key "{key}" is missing; COCO label files have it')
    values = document[key]
    if type(values) is not list:
        raise InputError(f'{source}: "{key}" must be a list of objects, not {shown(values)}')
    for position, value in enumerate(values):
        if type(value) is not dict:
            raise InputError(f"{source}: {key}[{position}] must be an object, not {shown(value)}")
    return [Entry(source, key, position, value) for position, value in enumerate(values)]


def by_id(listed: Iterable[Entry]) -> dict[int, Entry]:
    """Entries by their ``id``, which must be integers that occur once."""
    found: dict[int, Entry] = {}
    for entry in listed:
        identity = entry.integer("id")
        if identity in found:
            first = found[identity].position
            raise entry.error(f"this id occurs twice, in {entry.list_name}[{first}] and [{entry.position}]")
        found[identity] = entry
    return found
