"""What a parser says is wrong, with the file that says it and a guess at what was meant."""

import re
from difflib import get_close_matches
from inspect import signature

from lightning.pytorch import Trainer

from carcinosis_loc.configs import CONFIG_FLAGS, config_with, option_values
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.module import PointModule


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
