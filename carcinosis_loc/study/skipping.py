"""Which combinations of a study's levels are left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from carcinosis_loc.errors import InputError

Skip = Mapping[str, frozenset[str]]  # of each factor the levels that are meant; of all others any


def read_skips(path: Path, content: Mapping[str, Any], factors: Mapping[str, Mapping[str, Any]]) -> list[Skip]:
    """Read ``skip``: a list of mappings from factors to a level or a list of levels.

    Args:
        path: the study's file, for messages.
        content: what it holds.
        factors: name -> level -> anything.

    Raises:
        InputError: it is no such list, or no factor or level has such a name.
    """
    entries = content.get("skip", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and entry for entry in entries):
        raise InputError(f"{path}: skip: must be a list of levels that do not go together, such as - {{loss: mse}}")
    return [{str(name): _levels(path, str(name), value, factors) for name, value in entry.items()} for entry in entries]


def _levels(path: Path, factor: str, value: Any, factors: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    levels = frozenset(str(level) for level in (value if isinstance(value, list) else [value]))
    unknown = sorted(levels - set(factors.get(factor, {})))
    if unknown:
        raise InputError(f"{path}: skip: {factor}: {unknown[0]}: no factor has this level")
    return levels


def is_skipped(levels: Mapping[str, str], skips: Sequence[Skip]) -> bool:
    """Whether a combination has, of every factor that some entry names, one of the levels that it names."""
    return any(all(levels[factor] in meant for factor, meant in skip.items()) for skip in skips)
