"""What a study runs: every combination of its factors' levels but those that it skips."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from carcinosis_loc.configs import read_config, shipped_folder
from carcinosis_loc.errors import InputError
from carcinosis_loc.study.skipping import is_skipped, read_skips

FORMAT = 1
FIGURES = ("f1", "best_f1", "average_precision", "precision", "recall", "threshold", "best_threshold")
# Names that the results have: of what they hold of a run, and of a row of the table.
_RESERVED = {*FIGURES, "seconds", "counts", "groups", "code", "runs", "low", "high", "seeds", "minutes"}
_RESERVED |= {"f1_share", "best_f1_share"}
_KEYS = {"format", "config", "factors", "options", "prepare", "reference", "skip"}
# What ``carcloc test`` is told too; all else concerns training alone.
_FOR_TEST = re.compile(
    r"--(data\.(image_dir|test_json|num_workers|(eval_)?batch_size|category|allow_symlinks|exhaustive_splits)"
    r"|inference\.\w+|wandb|trainer\.(accelerator|devices))$"
)
_TEST_ALONE = "--test."  # before an option that is for the test and not for training


@dataclass(frozen=True)
class Run:
    """One cell of the grid.

    Attributes:
        levels: the level of each factor, by its name.
        fit: command line after ``carcloc``, without the folder.
        test: the same for the test, without folder and checkpoint.
        written: both as the study has them, ``{name}`` for each folder: the same wherever the folders lie.
    """

    levels: Mapping[str, str]
    fit: tuple[str, ...]
    test: tuple[str, ...]
    written: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """Name of the run and of its folder: ``loss=mse,seed=0``."""
        return ",".join(f"{factor}={level}" for factor, level in self.levels.items())


@dataclass(frozen=True)
class Plan:
    """A study.

    Attributes:
        path: its file.
        factors: their names.
        runs: all combinations that are not skipped, in the order of the file.
        prepare: command lines after ``carcloc`` that make its data or the weights it begins with, to be run before.
        prepare_written: the same as the study has them, ``{name}`` for each folder.
        reference: levels of the runs that others are compared with: ``{"labels": "all"}`` compares each run with the
            one that has all labels and is else alike.
    """

    path: Path
    factors: tuple[str, ...]
    runs: tuple[Run, ...]
    prepare: tuple[tuple[str, ...], ...] = ()
    prepare_written: tuple[tuple[str, ...], ...] = ()
    reference: Mapping[str, str] = field(default_factory=dict)


def read_plan(name: str, more: list[str], folders: Mapping[str, str] | None = None) -> Plan:
    """Read a study's file: a path, else the name of one that is shipped.

    It holds ``config`` (of ``carcloc fit``), ``factors`` (name -> level -> options) and, if wanted, ``options`` for all
    runs, ``prepare`` (command lines that make data), ``skip`` (levels that make no sense together) and ``reference``
    (see ``Plan``). Options are flags without their dashes; values that are no text become JSON. ``{name}`` in a text
    stands for a folder. An option that begins with ``test.`` is told to the test alone: runs that differ in such
    options share one training.

    Args:
        name: path or name.
        more: further options of all runs, as on a command line.
        folders: what ``{name}`` stands for.

    Raises:
        InputError: no such file, or it is no study; the message names the key. Or a folder has not been given.
    """
    path = Path(name) if Path(name).is_file() else shipped_folder() / "studies" / name
    if not path.is_file():
        shipped = ", ".join(sorted(p.name for p in (shipped_folder() / "studies").glob("*.yaml")))
        raise InputError(f"{name}: no such study file, and none that is shipped ({shipped})")
    content = read_config(path)
    if set(content) - _KEYS:
        raise InputError(f"{path}: {sorted(set(content) - _KEYS)[0]}: a study has no such key")
    if type(content.get("format")) is not int or content["format"] != FORMAT:
        raise InputError(f"{path}: format is {content.get('format')!r}; this version reads format {FORMAT}")
    filled = _filled(path, content, folders or {})
    factors = _factors(path, filled)
    skips = read_skips(path, filled, factors)
    runs = [
        Run(levels, fit, test, {"fit": written[0], "test": written[1]})
        for (levels, fit, test), (_, *written) in zip(
            _commands(path, filled, more), _commands(path, content, more), strict=True
        )
        if not is_skipped(levels, skips)
    ]
    if not runs:
        raise InputError(f"{path}: skip: leaves no run")
    lines = _prepare(path, content)
    prepare = tuple(tuple(_filled(path, word, folders or {}) for word in line) for line in lines)
    return Plan(path, tuple(factors), tuple(runs), prepare, lines, _reference(path, filled, factors))


def _commands(
    path: Path, content: Mapping[str, Any], more: list[str]
) -> Iterator[tuple[dict[str, str], tuple[str, ...], tuple[str, ...]]]:
    """Of every combination the levels, and the command lines of training and test."""
    factors = _factors(path, content)
    common = [*_words(path, "options", content.get("options", {})), *more]
    for combination in product(*factors.values()):
        levels = dict(zip(factors, combination, strict=True))
        own = [word for factor, level in levels.items() for word in factors[factor][level]]
        for_fit, for_test = _told_apart([*common, *own])
        yield levels, ("fit", "--config", str(content["config"]), *for_fit), ("test", *for_test)


def _filled(path: Path, value: Any, folders: Mapping[str, str]) -> Any:
    """With folders in the place of their names, wherever a text names one."""
    if isinstance(value, dict):
        return {key: _filled(path, one, folders) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(path, one, folders) for one in value]
    if not isinstance(value, str):
        return value
    for name in re.findall(r"\{(\w+)\}", value):
        if name not in folders:
            raise InputError(f"{path}: needs the folder {name}; say where it is: --folder {name}=PATH")
    return re.sub(r"\{(\w+)\}", lambda match: folders[match[1]], value)


def _prepare(path: Path, content: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    lines = content.get("prepare", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) and line.split() for line in lines):
        raise InputError(f"{path}: prepare: must be a list of command lines, such as synth {{out}}/data")
    for line in lines:
        if line.split()[0] not in ("synth", "thin", "fit"):
            raise InputError(f"{path}: prepare: {line.split()[0]}: only synth, thin and fit may stand here")
    try:
        return tuple(tuple(shlex.split(line)) for line in lines)
    except ValueError as error:
        raise InputError(f"{path}: prepare: a quotation is not closed ({error})") from error


def _reference(path: Path, content: Mapping[str, Any], factors: Mapping[str, Any]) -> dict[str, str]:
    reference = content.get("reference", {})
    if not isinstance(reference, dict):
        raise InputError(f"{path}: reference: must map a factor to the level that others are compared with")
    for factor, level in reference.items():
        if str(level) not in factors.get(factor, {}):
            raise InputError(f"{path}: reference: {factor}: {level}: no factor has this level")
    return {factor: str(level) for factor, level in reference.items()}


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
        if str(factor) in _RESERVED:
            raise InputError(f"{path}: factors.{factor}: a column of the results has this name; choose another")
        if len({str(level) for level in levels}) < len(levels):
            raise InputError(f"{path}: factors.{factor}: two of its levels are spelt alike: {[*map(str, levels)]}")
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
        try:
            words += [f"--{name}", value if isinstance(value, str) else json.dumps(value, allow_nan=False)]
        except (TypeError, ValueError) as error:
            kind = type(value).__name__
            raise InputError(f"{path}: {where}: {name}: a {kind} is no value of an option; put it in quotes") from error
    return words


def _told_apart(options: list[str]) -> tuple[list[str], list[str]]:
    """What training is told, and what the test is told, whose own options come last and win; ``--x y`` or ``--x=y``."""
    for_fit: list[str] = []
    for_test: list[str] = []
    for_test_alone: list[str] = []
    words = iter(options)
    for word in words:
        option = [word]
        if word.startswith("--") and "=" not in word:
            option += [value for value in [next(words, None)] if value is not None]
        if word.startswith(_TEST_ALONE):
            for_test_alone += [f"--{word.removeprefix(_TEST_ALONE)}", *option[1:]]
            continue
        for_fit += option
        if _FOR_TEST.match(word.partition("=")[0]):
            for_test += option
    return for_fit, [*for_test, *for_test_alone]
