"""What a parser says is wrong, with the file that says it and a guess at what was meant; errors of others as ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from inspect import signature

import torch
from jsonargparse import ArgumentError
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException

from carcinosis_loc.configs import CONFIG_FLAGS, config_with, option_values
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.errors import InputError, RunError, Stopped
from carcinosis_loc.module import PointModule
from carcinosis_loc.trust import in_our_words

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
        raise RunError(f"the accelerator's memory is full: lower --data.batch_size, then {_GO_ON}") from error
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
    return f"{place or f'carcloc {command}'}: {message}{_nearest(message)}"


def _nearest(message: str) -> str:
    """A guess at what a flag that nobody knows was meant to be."""
    unknown = re.search(r"unrecognized arguments: --([\w.]+)", message)
    if not unknown:
        return ""
    parts = {"data": PointDataModule, "model": PointModule, "trainer": Trainer}
    known = [f"{part}.{name}" for part, kind in parts.items() for name in signature(kind).parameters]
    near = get_close_matches(unknown.group(1), [*known, "config", "ckpt_path", "seed_everything", "wandb"], 1, 0.7)
    return f"; did you mean --{near[0]}?" if near else ""
