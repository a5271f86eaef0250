"""Where the choices of a fuzz case come from: a seeded random stream, hypothesis, or atheris."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

_ODD = [None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, float("nan"), float("inf"), 2**31, 2**53, -(2**70), 10**400]
_ODD += ["", "1", "a", "nodule", "..", "\0", "\n", "\x1b[31m", "\ud800", "日本", "x" * 300, [], {}, [[]], {"": None}]


class Source:
    """Choices.

    Args:
        integer: gives a whole number from the first to the second argument, both included.
    """

    def __init__(self, integer: Callable[[int, int], int]) -> None:
        self.integer = integer

    def pick(self, items: Sequence[Item]) -> Item:
        """One of them."""
        return items[self.integer(0, len(items) - 1)]

    def one_in(self, number: int) -> bool:
        """True once in ``number`` times."""
        return self.integer(1, number) == number

    def number(self, low: float, high: float) -> float:
        """A number with two digits behind the point."""
        return self.integer(round(low * 100), round(high * 100)) / 100

    def many(self, make: Callable[[], Item], most: int) -> list[Item]:
        """None up to ``most`` of them."""
        return [make() for _ in range(self.integer(0, most))]

    def text(self, alphabet: str, most: int) -> str:
        """Letters of an alphabet."""
        return "".join(self.many(lambda: self.pick(alphabet), most))

    def odd(self, depth: int = 2) -> Any:
        """Anything that JSON can hold, and a little more."""
        kind = self.integer(0, 9 if depth else 6)
        if kind <= 6:
            return self.pick(_ODD)
        if kind <= 8:
            return self.many(lambda: self.odd(depth - 1), 3)
        return {str(self.pick(_ODD)): self.odd(depth - 1) for _ in range(self.integer(0, 2))}

    def mostly(self, valid: Any, one_in: int = 60) -> Any:
        """``valid``, but once in a while anything at all."""
        return self.odd() if self.one_in(one_in) else valid

    def lacking(self, entry: dict[str, Any], one_in: int = 60) -> dict[str, Any]:
        """The same, without one of its keys once in a while."""
        if entry and self.one_in(one_in):
            del entry[self.pick(sorted(entry))]
        return entry

    def damaged(self, content: bytes, one_in: int = 1) -> bytes:
        """Bytes of which some have been lost, changed or added, once in a while."""
        if not self.one_in(one_in):
            return content
        data = bytearray(content)
        for _ in range(self.pick([1, 1, 1, 2, 5])):
            at, kind = self.integer(0, max(len(data) - 1, 0)), self.integer(0, 5)
            if kind == 0:
                del data[at:]
            elif kind == 1 and data:
                data[at] ^= self.integer(1, 255)
            elif kind == 2:
                data[at:at] = self.pick(
                    [b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 3000, b"9" * 5000, b"\n", b'"', b"{"]
                )
            elif kind == 3:
                del data[at : at + self.integer(1, 40)]
            elif kind == 4:
                data[at:at] = data[at : at + 40] * self.integer(1, 50)
            elif data:
                data[at : at + 4] = self.integer(0, 2**32 - 1).to_bytes(4, "little")
        return bytes(data)
