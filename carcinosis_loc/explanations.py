"""What the heads of help pages say; what is wrong with a command, in our words, with a guess at what was meant."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from inspect import signature
from typing import Any

import torch
from jsonargparse import ArgumentError
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import ParallelStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException

from carcinosis_loc.configs import CONFIG_FLAGS, config_with, option_values
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.errors import InputError, RunError, Stopped
from carcinosis_loc.module import PointModule
from carcinosis_loc.trust import in_our_words
from carcinosis_loc.wording import in_plain_words

# Head of a command's --help: how it is called, and what matters of its hundred options.
_HELP = {
    "fit": (
        "--config demo.yaml --data.image_dir D --data.train_json T --data.val_json V [options]",
        "Train on sparse point labels. --config takes a file or a shipped name, and several of them are stacked. What "
        "matters most: --data.batch_size, --data.image_size, --trainer.max_epochs, --trainer.default_root_dir (where "
        "the run is written) and --ckpt_path last (go on with it).",
    ),
    "validate": (
        "--ckpt_path C --data.image_dir D --data.val_json V [options]",
        "Score a checkpoint on validation labels, which count as sparse where they do not say otherwise. What matters "
        "most: --model.decoder.threshold, --model.match_radius_px and --trainer.default_root_dir.",
    ),
    "test": (
        "--ckpt_path C --data.image_dir D --data.test_json T [options]",
        "Score a checkpoint on test labels, which count as exhaustive where they do not say otherwise: precision, "
        "recall, F1 and their curve. What matters most: --model.decoder.threshold, --model.match_radius_px and "
        "--trainer.default_root_dir (where metrics.json is written).",
    ),
    "predict": (
        "--ckpt_path C --data.predict_source IMAGE_FOLDER_OR_VIDEO [options]",
        "Find points in images and videos with a checkpoint or a file of carcloc export; for research use only. What "
        "matters most: --model.decoder.threshold, --data.per_second (frames of a video), --predictions.overlays, "
        "--trainer.default_root_dir (where predictions/ is written) and --anonymize.",
    ),
}
PARSERS: dict[str, Any] = {
    "exit_on_error": False,
    **{
        name: {"exit_on_error": False, "usage": f"carcloc {name} {usage}", "description": text}
        for name, (usage, text) in _HELP.items()
    },
}

# Of a list of all that a value might have been and is not, what one of our classes says of it.
_OWN_WORDS = re.compile(r"- (Teacher: .+?)(?:\s+- |\n|$)")
_GO_ON = "go on with the same command (fit: and --ckpt_path last)"


@contextmanager
def in_one_line(command: str, options: list[str]) -> Iterator[None]:
    """Around a command: what the parser, Lightning and torch raise becomes one of our errors, where it has a remedy."""
    try:
        yield
    except ArgumentError as error:
        raise InputError(explained(in_our_words(str(error)), command, options)) from error
    except SIGTERMException as error:
        raise Stopped(f"stopped by SIGTERM; {_GO_ON}") from error
    except torch.OutOfMemoryError as error:
        raise RunError(
            "the accelerator's memory is full: lower --data.batch_size, or --data.eval_batch_size if whole frames were "
            f"looked at, then {_GO_ON}"
        ) from error
    except RuntimeError as error:
        if _of_another_process(error):
            raise RunError(
                "another process of this run has ended or is out of reach; its own output says why. When that is "
                f"mended, {_GO_ON}"
            ) from error
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            "a data-loading process was killed, most often for want of memory: lower --data.num_workers or "
            f"--data.cache_mb, then {_GO_ON}"
        ) from error


def refused(error: Exception) -> InputError:
    """What a part of the configuration refuses when it is built; of a machine without GPU, what to change."""
    text = str(error)
    if "No supported gpu backend" in text or "CUDAAccelerator" in text:
        text = (
            "trainer.accelerator asks for a GPU, and PyTorch finds none on this machine: leave multi_gpu.yaml out, or "
            "add --trainer.accelerator cpu --trainer.sync_batchnorm false"
        )
    own = _OWN_WORDS.search(text)
    return InputError(own[1] if own else f"config: {text}")


def check_norms(trainer: Trainer, synchronised: bool) -> None:
    """Refuse batch norms over several processes where there are none, which torch does at the first batch.

    Raises:
        InputError: they are asked for on CPUs.
    """
    if synchronised and isinstance(trainer.strategy, ParallelStrategy) and trainer.strategy.root_device.type == "cpu":
        raise InputError("config: trainer.sync_batchnorm works on GPUs alone; add --trainer.sync_batchnorm false")


def _of_another_process(error: RuntimeError) -> bool:
    """Whether it says that processes cannot speak to each other any more, as when one of them was killed."""
    return isinstance(error, torch.distributed.DistError) or "gloo/transport" in str(error)


def explained(message: str, command: str, options: list[str]) -> str:
    """A parser's message with the file that it is about, where a config holds the key that it names."""
    if "required" in message and not option_values(options, *CONFIG_FLAGS):
        return f"carcloc {command}: {message}; start from a shipped config: --config demo.yaml"
    keys = re.findall(r"""['"]([\w.]+)['"]""", message)
    flags = [word.split("=")[0].lstrip("-") for word in options if word.startswith("--")]
    by_flag = any(f".{flag}".endswith(f".{key}") for flag in flags for key in keys)
    place = None if by_flag else config_with(keys, options)
    if place is None and command != "fit" and not by_flag:
        place = option_values(options, "--ckpt_path")[-1]  # its recipe is a config too
    return f"{place or f'carcloc {command}'}: {in_plain_words(message)}{_nearest(message)}"


def _nearest(message: str) -> str:
    """A guess at what a flag that nobody knows was meant to be."""
    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message)
    if not unknown:
        return ""
    parts = {"data": PointDataModule, "model": PointModule, "trainer": Trainer}
    known = [f"{part}.{name}" for part, kind in parts.items() for name in signature(kind).parameters]
    near = get_close_matches(unknown.group(1), [*known, "config", "ckpt_path", "seed_everything", "wandb"], 1, 0.7)
    return f"; did you mean --{near[0]}?" if near else ""
