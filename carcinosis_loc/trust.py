"""What a config may name: a class is code, and whoever writes the config chooses which.

A shell, ``eval``, unpickling and their kin are refused always. ``CARCLOC_TRUSTED_CLASSES`` narrows it further: where it
is set, even to nothing, a config may name what lies under ``TRUSTED`` and under the import paths that the variable
lists, separated by commas. See docs/security.md.
"""

import logging
import os
import pkgutil
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import set_parsing_settings

from carcinosis_loc.configs import read_config, shipped_folder
from carcinosis_loc.errors import InputError

logger = logging.getLogger(__name__)

VARIABLE = "CARCLOC_TRUSTED_CLASSES"
TRUSTED = ("carcinosis_loc", "torch.optim", "lightning")
_OURS = ("carcinosis_loc", "torch.optim")
_IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def enforce() -> None:
    """Bind the parser that builds a run to the rules above; it looks at where a name leads, not at the name alone.

    Raises:
        InputError: the variable holds something other than import paths.
    """
    set_parsing_settings(config_read_mode_fsspec_enabled=False)  # Lightning lets a value be a URL, and fetches it
    listed = os.environ.get(VARIABLE)
    if listed is None:
        set_parsing_settings(import_path_denylist=[])  # from now on jsonargparse refuses what it knows to be dangerous
        return
    further = [path.strip() for path in listed.split(",") if path.strip()]
    try:
        set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=[*TRUSTED, *further])
    except ValueError as error:
        raise InputError(f"{VARIABLE}={listed}: must list import paths, separated by commas ({error})") from error


def say_what_is_foreign(configs: Sequence[str]) -> None:
    """Say which classes from outside of this package, torch and lightning a config names, if it is no shipped one."""
    for path in configs:
        if path.startswith("{") or Path(path).resolve().is_relative_to(shipped_folder().resolve()):
            continue
        names = sorted({name for name in _class_paths(read_config(path)) if not _under(name, (*TRUSTED, "torch"))})
        if names:
            logger.warning(
                "%s names %s, which is code from elsewhere, and it runs: use configs that you trust, or set %s",
                path,
                ", ".join(names[:5]),
                VARIABLE,
            )


def is_ours(name: str) -> bool:
    """Whether an import path leads to something that is defined in this package or in ``torch.optim``."""
    if not _IMPORT_PATH.fullmatch(name) or not _under(name, _OURS):
        return False
    try:
        found = pkgutil.resolve_name(name)  # imports nothing but our own modules and torch's
    except (ImportError, AttributeError, ValueError):
        return False
    return isinstance(found, type) and _under(found.__module__, _OURS)


def in_our_words(message: str) -> str:
    """The parser's refusal of an import path, short and with the variable that lifts it; other messages as they are."""
    key = re.search(r'Parser key "([\w.]+)"', message)
    denied = re.search(r"Importing '([\w.]+)' is not allowed, denied by the '([\w.*]+)' entry", message)
    if denied is None:
        return message
    reason = "may not be named by a config: it runs commands or code"
    if denied[2] == "*":
        reason = f"may not be named: {VARIABLE} restricts configs to {', '.join(TRUSTED)} and what it lists"
    place = f'"{key[1]}": ' if key else ""
    return f"{place}{denied[1]} {reason}"


def _under(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("class_path"), str) and "." in value["class_path"]:
            yield value["class_path"]
        for inner in value.values():
            yield from _class_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _class_paths(inner)
