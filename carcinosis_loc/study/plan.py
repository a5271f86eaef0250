"""What a study runs: every combination of its factors' levels."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from carcinosis_loc.configs import read_config, shipped_folder
from carcinosis_loc.errors import InputError

FORMAT = 1
_KEYS = {"format", "config", "factors", "options"}
# What ``carcloc test`` is told too; all else concerns training alone.
_FOR_TEST = re.compile(
    r"--(data\.(image_dir|test_json|num_workers|batch_size|category|allow_symlinks|exhaustive_splits)"
    r"|wandb|trainer\.(accelerator|devices))$"
)


@dataclass(frozen=True)
class Run:
    """One cell of the grid.

    Attributes:
        levels: the level of each factor, by its name.
        fit: command line after ``carcloc``, without the folder.
        test: the same for the test, without folder and checkpoint.
    """

    levels: Mapping[str, str]
    fit: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the run and of its folder: ``loss=mse,seed=0``."""
        return ",".join(f"{factor}={level}" for factor, level in self.levels.items())


@dataclass(frozen=True)
class Plan:
    """A study: its file and its runs, in the order of the file."""

    path: Path
    factors: tuple[str, ...]
    runs: tuple[Run, ...]


def read_plan(name: str, more: list[str]) -> Plan:
    """Read a study's file: a path, else the name of one that is shipped.

    It holds ``config`` (of ``carcloc fit``), ``factors`` (name -> level -> options) and, if wanted, ``options`` for all
    runs. Options are flags without their dashes; values that are no text become JSON.

    Args:
        name: path or name.
        more: further options of all runs, as on a command line.

    Raises:
        InputError: no such file, or it is no study; the message names the key.
    """
    path = Path(name) if Path(name).is_file() else shipped_folder() / "studies" / name
    if not path.is_file():
        shipped = ", ".join(sorted(p.name for p in (shipped_folder() / "studies").glob("*.yaml")))
        raise InputError(f"{name}: no such study file, and none that is shipped ({shipped})")
    content = read_config(path)
    if set(content) - _KEYS:
        raise InputError(f"{path}: {sorted(set(content) - _KEYS)[0]}: a study has no such key")
    if content.get("format") != FORMAT:
        raise InputError(f"{path}: format is {content.get('format')!r}; this version reads format {FORMAT}")
    factors = _factors(path, content)
    common = [*_words(path, "options", content.get("options", {})), *more]
    runs = []
    for combination in product(*factors.values()):
        levels = dict(zip(factors, combination, strict=True))
        own = [word for factor, level in levels.items() for word in factors[factor][level]]
        options = [*common, *own]
        fit = ("fit", "--config", str(content["config"]), *options)
        runs.append(Run(levels, fit, ("test", *_for_test(options))))
    return Plan(path, tuple(factors), tuple(runs))


def _factors(path: Path, content: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    if not isinstance(content.get("config"), str):
        raise InputError(f"{path}: config: the name of a config for carcloc fit is missing")
    factors = content.get("factors")
    if not isinstance(factors, dict) or not factors:
        raise InputError(f"{path}: factors: must name at least one factor with its levels")
    read: dict[str, dict[str, list[str]]] = {}
    for factor, levels in factors.items():
        if not isinstance(levels, dict) or not levels:
            raise InputError(f"{path}: factors.{factor}: must map each level to its options")
        for level in [factor, *levels]:
            if not re.fullmatch(r"[\w.+@-]+", str(level)):
                raise InputError(f"{path}: factors.{factor}: {level}: letters, digits and .+-@_ only")
        read[factor] = {str(k): _words(path, f"factors.{factor}.{k}", options) for k, options in levels.items()}
    return read


def _words(path: Path, where: str, options: Any) -> list[str]:
    if not isinstance(options, dict):
        raise InputError(f"{path}: {where}: must map options to values, such as model.loss.lam: 1.0")
    words = []
    for name, value in options.items():
        words += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    return words


def _for_test(options: list[str]) -> list[str]:
    """Those options, with their values, that the test needs too; given as ``--x y`` or ``--x=y``."""
    chosen: list[str] = []
    for place, word in enumerate(options):
        if not _FOR_TEST.match(word.partition("=")[0]):
            continue
        chosen += [word] if "=" in word else options[place : place + 2]
    return chosen
