"""Values out of a stranger's file: plain, and of a size that can be worked with."""

from typing import Any

_MOST_ENTRIES, _DEEPEST = 100_000, 50


def check_plain(value: Any) -> None:
    """Refuse what is small in its file and endless in memory: anchors of anchors, and what refers to itself.

    Raises:
        ValueError: too many or too deeply nested entries, or keys that are no names; the message is the reason alone.
    """
    left, entries = [(value, 0)], 0
    while left:
        one, depth = left.pop()
        entries += 1
        if entries > _MOST_ENTRIES:
            raise ValueError(f"it refers to itself, or unfolds to more than {_MOST_ENTRIES} entries")
        if depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep, or refers to itself")
        if isinstance(one, dict):
            if not all(key is None or isinstance(key, str | int | float) for key in one):
                raise ValueError("it has keys that are no names")
            left += [(inner, depth + 1) for inner in one.values()]
        elif isinstance(one, list | tuple | set):
            left += [(inner, depth + 1) for inner in one]
