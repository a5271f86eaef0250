"""What a checkpoint knows of its own making: enough to build the model again without a config."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentParser

from carcinosis_loc.errors import InputError
from carcinosis_loc.models import read_checkpoint
from carcinosis_loc.module import CHECKPOINT_KEY

Part = TypeVar("Part")

# A checkpoint may come from a stranger: it may name our classes and torch's, never import what it likes.
_TRUSTED = ("carcinosis_loc.", "torch.optim.")
_DATA_KEYS = ("image_size", "category")


@dataclass(frozen=True)
class Recipe:
    """The part of a checkpoint that is not weights.

    Attributes:
        settings: ``{"model": ..., "data": ...}`` as in a config; ``data`` holds the preprocessing alone.
        threshold: the calibrated one, if there is one.
    """

    settings: Mapping[str, Any]
    threshold: float | None


def make_recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take from a run's whole configuration what prediction needs, as plain values."""
    model = copy.deepcopy(config["model"])
    model["net"].get("init_args", model["net"])["init_checkpoint"] = None  # its weights are in the checkpoint now
    return {"model": model, "data": {key: config["data"].get(key) for key in _DATA_KEYS}}


def read_recipe(path: Path, content: Mapping[str, Any] | None = None) -> Recipe:
    """Read the recipe of a checkpoint (or of its ``content``, where it was read already).

    Raises:
        InputError: no checkpoint, not one of ours, or one that names classes other than ours and torch's.
    """
    content = read_checkpoint(path) if content is None else content
    entry = content.get(CHECKPOINT_KEY)
    if not isinstance(entry, dict) or "state_dict" not in content:
        raise InputError(f"{path}: is no checkpoint of carcloc; weights alone go to --model.net.init_checkpoint")
    settings = entry.get("recipe")
    if not isinstance(settings, dict) or not isinstance(settings.get("model"), dict):
        raise InputError(f"{path}: holds no recipe of its model; give the --config that it was trained with")
    for class_path in _class_paths(settings):
        if not class_path.startswith(_TRUSTED):
            raise InputError(f"{path}: names the class {class_path}, which a checkpoint may not; give its --config")
    return Recipe(settings, entry.get("threshold"))


def build(settings: Mapping[str, Any], part: str, kind: type[Part]) -> Part:
    """Build a part of the model that a recipe describes, untrained: ``net``, ``decoder`` and so on."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=kind)
    built = parser.instantiate_classes(parser.parse_object({"part": settings["model"][part]})).part
    assert isinstance(built, kind)
    return built


def _class_paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "class_path" in value:
            yield str(value["class_path"])
        for inner in value.values():
            yield from _class_paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _class_paths(inner)
