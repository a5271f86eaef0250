"""What a parser says of a value, in words for the person who wrote it."""

import re

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "dict": "a mapping",
    "list": "a list",
    "Sequence": "a list",
    "NoneType": "null",
}
_IN_A_CLASS = re.compile(r"""Problem with given class_path '[\w.]+': Parser key "([\w.]+)": """)
_KEY = re.compile(r'Parser key "([\w.]+)": (.*)')
_ONE = re.compile(r"Expected a (.*?)\. Got value: (.*)")
_SEVERAL = re.compile(
    r"Does not validate against any of the Union subtypes Subtypes: \[(.*?)\] Errors: .* Given value: (.*)"
)
_NO_CLASS = re.compile(r"- Expected a path but (.*?) either not accessible or invalid")


def in_plain_words(message: str) -> str:
    """A parser's message on one line; where a value is of the wrong kind, which key, what it must be, and what it is.

    Other messages stay as they are, but for their line breaks.
    """
    line = " ".join(message.split())
    found = _KEY.search(line)
    if found is None:
        return line
    key, rest = found[1], found[2]
    while inner := _IN_A_CLASS.match(rest):
        key, rest = f"{key}.{inner[1]}", rest[inner.end() :]
    said = _said(rest)
    return f'{line[: found.start()]}"{key}" {said}' if said else line


def _said(rest: str) -> str | None:
    if several := _SEVERAL.match(rest):
        kinds = [_kind(kind) for kind in _split(several[1])]
        return None if None in kinds else f"must be {_either(kinds)}, not {several[2]:.200}"
    if one := _ONE.match(rest):
        kind = _kind(one[1])
        return kind and f"must be {kind}, not {one[2]:.200}"
    if no_class := _NO_CLASS.match(rest):
        return f"must name a class by its import path (package.module.Class), not {no_class[1]:.200}"
    return None


def _kind(kind: str) -> str | None:
    """``<class 'int'>``, ``tuple[int, int]`` or ``typing.Literal['a', 'b']`` in words; None if it has no short name."""
    if plain := re.fullmatch(r"(?:<class '(?:[\w.]+\.)?(\w+)'>|(\w+))", kind):
        return _KINDS.get(plain[1] or plain[2])
    if pair := re.fullmatch(r"tuple\[(\w+), \1\]", kind):
        return {"int": "two whole numbers", "float": "two numbers"}.get(pair[1])
    if choice := re.fullmatch(r"(?:typing\.)?Literal\[(.*)\]", kind):
        return _either([word.strip().strip("'") for word in choice[1].split(",")])
    holder = re.fullmatch(r"(?:[\w.]+\.)?(\w+)\[.*\]", kind)
    return _KINDS.get(holder[1]) if holder else None


def _either(kinds: list[str | None]) -> str:
    *most, last = dict.fromkeys(word for kind in kinds if kind for word in kind.split(" or "))
    return f"{', '.join(most)} or {last}" if most else last


def _split(kinds: str) -> list[str]:
    """At commas that stand in no brackets."""
    return [kind.strip() for kind in re.split(r",(?![^\[]*\])", kinds)]
