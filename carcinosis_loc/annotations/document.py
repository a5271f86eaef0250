"""The JSON of a label file of any length: its annotations are walked one by one and never held all at once."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from carcinosis_loc.annotations.fields import Entry, entries, shown
from carcinosis_loc.errors import InputError

_WALKED = "annotations"
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


class Document:
    """A label file, whose top level must be an object. Held are its text and all values but the annotations.

    Held as dictionaries, annotations would take ten times the size of the file.

    Args:
        path: the file.

    Attributes:
        fields: the values by key; a list of annotations is None here.

    Raises:
        InputError: the file cannot be read, is no JSON, or is something other than an object.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fields: dict[str, Any] = {}
        self._begins: int | None = None  # where the list of annotations stands in the text
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: this label file cannot be read (no ordinary file)")
        try:
            self._text = _decoded(path.read_bytes())
            self._parse()
        except OSError as error:
            raise InputError(f"{path}: this label file cannot be read ({error.strerror})") from error
        except InputError:
            raise
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: this file is no valid JSON ({error})") from error

    def annotations(self) -> Iterator[Entry]:
        """The annotations, parsed anew.

        Raises:
            InputError: there is no list of them, or one is no object.
        """
        if self._begins is None:
            entries(self.fields, _WALKED, self.path)  # which says what is wrong
            return
        for position, (fields, _) in enumerate(self._elements(self._begins)):
            if type(fields) is not dict:
                raise InputError(f"{self.path}: {_WALKED}[{position}] must be an object, not {shown(fields)}")
            yield Entry(self.path, _WALKED, position, fields)

    def _parse(self) -> None:
        """Go through the whole text once, so that whatever is no JSON is found."""
        at = self._skip(0)
        if not self._is_next("{", at):
            raise InputError(f"{self.path}: the top level must be a JSON object, not {shown(json.loads(self._text))}")
        at = self._skip(at + 1)
        while not (self._is_next("}", at) and not self.fields):
            if not self._is_next('"', at):
                raise self._error("Expecting property name enclosed in double quotes", at)
            key, at = _DECODER.raw_decode(self._text, at)
            if key in self.fields:  # JSON readers take the last: labels would be lost without a word
                raise InputError(f'{self.path}: the key "{key:.60}" is there twice; keep one')
            at = self._skip(self._passed(":", self._skip(at)))
            at = self._skip(self._parse_value(key, at))
            if self._is_next("}", at):
                break
            at = self._skip(self._passed(",", at))
        if self._skip(at + 1) != len(self._text):
            raise self._error("Extra data", self._skip(at + 1))

    def _parse_value(self, key: str, at: int) -> int:
        """Keep the value that begins here; where it ends."""
        if key == _WALKED:
            self._begins = at if self._is_next("[", at) else None
        if key == _WALKED and self._begins is not None:
            self.fields[key] = None
            end = max((end for _, end in self._elements(at)), default=at + 1)
            return self._passed("]", self._skip(end))
        self.fields[key], end = _DECODER.raw_decode(self._text, at)
        return end

    def _elements(self, at: int) -> Iterator[tuple[Any, int]]:
        """Elements of the list that begins here, and where each ends."""
        at = self._skip(at + 1)
        if self._is_next("]", at):
            return
        while True:
            value, end = _DECODER.raw_decode(self._text, at)
            yield value, end
            end = self._skip(end)
            if not self._is_next(",", end):
                return
            at = self._skip(end + 1)

    def _skip(self, at: int) -> int:
        space = _SPACE.match(self._text, at)
        return space.end() if space else at

    def _is_next(self, character: str, at: int) -> bool:
        return self._text.startswith(character, at)

    def _passed(self, character: str, at: int) -> int:
        if not self._is_next(character, at):
            raise self._error(f"Expecting '{character}' delimiter", at)
        return at + 1

    def _error(self, problem: str, at: int) -> json.JSONDecodeError:
        return json.JSONDecodeError(problem, self._text, at)


def _decoded(data: bytes) -> str:
    return data.decode(json.detect_encoding(data), "surrogatepass")
