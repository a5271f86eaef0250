"""Where a run's curves go: a CSV file, and Weights & Biases."""

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from carcinosis_loc.files import write_text

RUN_ID = "wandb_run_id"
WANDB_DATA = "WANDB_DATA_DIR"
# What may name a patient or a machine; a dashboard needs none of it.
_PRIVATE = {"image_dir", "train_json", "val_json", "test_json", "predict_source", "ckpt_path", "default_root_dir"}
_PRIVATE |= {"init_checkpoint", "dirpath", "save_dir", "config", "elder"}


def csv_logger(root: Path) -> Logger:
    """Curves of a fit as ``logs/fit/metrics.csv``; those of a resumed fit beside it as ``fit_2`` and so on."""
    taken = len(list(root.glob("logs/fit*")))
    return CSVLogger(root, name="logs", version="fit" if not taken else f"fit_{taken + 1}")


def dashboard(
    root: Path, command: str, config: Mapping[str, Any], project: str, mode: str, name: str | None
) -> WandbLogger:
    """A Weights & Biases run.

    A fit's identity is kept in the run's folder (``wandb_run_id``), so that a resumed fit goes on with the same run
    (offline, ``wandb sync --append`` joins the pieces). No path leaves: see ``without_paths``; nor does the command
    line, or who calls it on which machine.

    Args:
        root: the run's folder.
        command: fit, validate, test.
        config: the whole configuration.
        project: where it goes.
        mode: "offline" or "online".
        name: what it is called there.
    """
    logger = WandbLogger(
        project=project,
        name=name,
        id=_identity(root) if command == "fit" else None,
        save_dir=root,
        offline=mode == "offline",
        job_type=command,
        config=without_paths(config),
        settings=wandb.Settings(x_disable_meta=True, disable_git=True, save_code=False, program="carcloc", host="-"),
    )
    logger._wandb_init.pop("anonymous", None)  # wandb warns of it on stderr, though nobody set it
    return logger


def without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without the entries that hold paths, at any depth."""
    return {key: _without_paths(value) for key, value in config.items() if key not in _PRIVATE}


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_paths(value)
    return [_without_paths(one) for one in value] if isinstance(value, list) else value


@contextmanager
def staged_in(root: Path) -> Iterator[None]:
    """Let W&B put aside in a run's folder what it uploads later; else that lies in the home folder, if there is one.

    ``WANDB_DATA_DIR`` wins where it is set.
    """
    if WANDB_DATA in os.environ:
        yield
        return
    os.environ[WANDB_DATA] = str(root / "wandb" / "staged")
    try:
        yield
    finally:
        del os.environ[WANDB_DATA]


def _identity(root: Path) -> str:
    path = root / RUN_ID
    if path.is_file() and re.fullmatch(r"[0-9a-z]{8}", known := path.read_text("utf-8", errors="replace").strip()):
        return known
    fresh = secrets.token_hex(4)
    write_text(path, f"{fresh}\n")
    return fresh
