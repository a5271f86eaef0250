"""Which checkpoint a command goes on from."""

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from carcinosis_loc.configs import option_values
from carcinosis_loc.errors import InputError
from carcinosis_loc.export import exported_settings
from carcinosis_loc.models import read_checkpoint
from carcinosis_loc.recipe import check_size, read_recipe
from carcinosis_loc.run_folder import root_option

logger = logging.getLogger(__name__)

EXPORTED = ".onnx"  # suffix of the files that predict takes beside checkpoints
_SHORT_NAMES = ("best", "last")
_OURS_NOT = ("null", "hpc", "registry")  # Lightning knows what they mean


def with_checkpoint(command: str, options: list[str]) -> list[str]:
    """Find the checkpoint that is named, read it, and put what it knows of its making below all that is given.

    Checkpoint < config < flag: so a threshold given by hand always wins, and ``predict`` needs no config.

    Raises:
        InputError: there is none, or it is none of ours; all but ``fit`` need one.
    """
    given = option_values(options, "--ckpt_path")
    if command == "fit":
        requeued = "last" if os.environ.get("SLURM_RESTART_COUNT") else "null"  # the same command, once more
        wanted = given[-1] if given else requeued
        return options if wanted in _OURS_NOT else _to_go_on(options, wanted)
    if not given:
        raise InputError(f"carcloc {command}: --ckpt_path is missing; without one, untrained weights would be used")
    path = Path(given[-1])
    if given[-1] in _SHORT_NAMES:
        path = root_option(options) / "checkpoints" / f"{given[-1]}.ckpt"
    if path.suffix == EXPORTED:
        if command != "predict":
            raise InputError(f"{path}: an exported file can only predict; carcloc {command} needs the checkpoint")
        return ["--config", json.dumps(exported_settings(path)), *options, "--ckpt_path", str(path)]
    content = read_checkpoint(path)
    recipe = read_recipe(path, content)
    check_size(path, content, recipe.settings)
    return ["--config", json.dumps(recipe.settings), *options, "--ckpt_path", str(path)]


def _to_go_on(options: list[str], given: str) -> list[str]:
    root = root_option(options)
    if given == "last":
        newest = newest_checkpoint(root)
        if newest is None:
            logger.warning("%s: no checkpoint to resume from yet; the training starts afresh", root)
        return [*options, "--ckpt_path", str(newest or "null")]
    path = root / "checkpoints" / "best.ckpt" if given == "best" else Path(given)
    read_recipe(path)
    return [*options, "--ckpt_path", str(path)]


def check_length(checkpoint: str | None, max_epochs: int | None, max_steps: int = -1) -> None:
    """Refuse to go on with a training that has had more epochs or steps than it is to have.

    Raises:
        InputError: so it is.
    """
    limits = {"epochs": -1 if max_epochs is None else max_epochs, "steps": max_steps}
    if checkpoint is None or checkpoint in _OURS_NOT or max(limits.values()) < 0:
        return
    content = read_checkpoint(Path(checkpoint))
    done = {"steps": content.get("global_step")}
    with contextlib.suppress(KeyError, TypeError):  # Lightning will say what it lacks
        done["epochs"] = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    for unit, limit in limits.items():
        had = done.get(unit)
        if isinstance(had, int) and had > limit >= 0:
            raise InputError(
                f"{checkpoint}: has been trained for {had} {unit}, and --trainer.max_{unit} {limit} asks for fewer: "
                f"give more than {had} to go on, or begin another run in another --trainer.default_root_dir"
            )


def newest_checkpoint(root: Path) -> Path | None:
    """The checkpoint of a run that has trained longest and can be read; None where there is none at all.

    Looked at are ``last.ckpt``, what a SLURM requeue left, and where the last is missing or torn, the one before it,
    else ``best.ckpt``.

    Raises:
        InputError: there are some, and all of them are damaged.
    """
    last, previous, best = (root / "checkpoints" / f"{name}.ckpt" for name in ("last", "previous", "best"))
    steps: dict[Path, int] = {}
    damage: list[InputError] = []
    for path in [last, *sorted(root.glob("hpc_ckpt_*.ckpt")), previous, best]:
        if not path.is_file() or (steps and path in (previous, best)):
            continue
        try:
            steps[path] = _step(read_checkpoint(path), path)
        except InputError as error:
            damage.append(error)
    if not steps and damage:
        raise damage[0]
    newest = max(steps, key=lambda path: steps[path], default=None)
    for fault in damage:
        logger.warning("%s; resuming from %s instead", fault, newest)
    if newest in (previous, best) and not damage:
        logger.warning("%s is missing; resuming from %s", last, newest)
    return newest


def _step(content: dict[str, Any], path: Path) -> int:
    read_recipe(path, content)
    step = content.get("global_step")
    if not isinstance(step, int):
        raise InputError(f"{path}: holds no state of a training")
    return step
