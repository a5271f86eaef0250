"""What a checkpoint knows of its own making: enough to build the model again without a config."""

import copy
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from jsonargparse import ArgumentParser
from torch import nn

from carcinosis_loc.annotations.images import MOST_PIXELS
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_bytes
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.models import HeatmapNet, read_checkpoint
from carcinosis_loc.module import CHECKPOINT_KEY
from carcinosis_loc.plain import check_plain
from carcinosis_loc.trust import is_ours

Part = TypeVar("Part")

_PARTS = ("net", "loss", "decoder", "encoder", "optimizer")
_DATA_KEYS = ("image_size", "category")


@dataclass(frozen=True)
class Recipe:
    """The part of a checkpoint that is not weights.

    Attributes:
        settings: ``{"model": ..., "data": ...}`` as in a config; ``data`` holds the preprocessing alone.
        calibration: the threshold that was chosen in training, if one was.
    """

    settings: Mapping[str, Any]
    calibration: Calibration | None


def make_recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Take from a run's whole configuration what prediction needs, as plain values."""
    model = copy.deepcopy(config["model"])
    _forget_first_weights(model)
    return {"model": model, "data": {key: config["data"].get(key) for key in _DATA_KEYS}}


def read_recipe(path: Path, content: Mapping[str, Any] | None = None) -> Recipe:
    """Read the recipe of a checkpoint (or of its ``content``, where it was read already).

    What a stranger's checkpoint may say is bounded: the model, of our classes, and the preprocessing; no files.

    Raises:
        InputError: no checkpoint, not one of ours, or one that says more than it may.
    """
    content = read_checkpoint(path) if content is None else content
    entry = content.get(CHECKPOINT_KEY)
    if not isinstance(entry, dict) or not isinstance(content.get("state_dict"), dict):
        raise InputError(f"{path}: is no checkpoint of carcloc; weights alone go to --model.net.init_checkpoint")
    try:
        check_plain(entry)
    except ValueError as error:
        raise InputError(f"{path}: its recipe cannot be used: {error}") from error
    settings = copy.deepcopy(entry.get("recipe"))
    model, data = (settings.get("model"), settings.get("data")) if isinstance(settings, dict) else (None, None)
    if not isinstance(settings, dict) or not isinstance(model, dict) or not isinstance(data, dict):
        raise InputError(f"{path}: holds no recipe of its model; was it saved by carcloc?")
    for part in _PARTS:
        if not isinstance(model.get(part), dict) or not isinstance(model[part].get("class_path"), str):
            raise InputError(f"{path}: its recipe lacks model.{part}; it is damaged, or of another version")
    if not isinstance(model["net"].setdefault("init_args", {}), dict):
        raise InputError(f"{path}: its recipe of model.net is none")
    _forget_first_weights(model)
    foreign = [*set(settings).difference(("model", "data")), *set(data).difference(_DATA_KEYS)]
    foreign += [text for text in _dotted_strings(model) if not is_ours(text)]
    if foreign:
        raise InputError(f"{path}: its recipe names {foreign[0]!s:.80}, which a checkpoint may not")
    _check_image_size(path, data.get("image_size"))
    return Recipe(settings, checked_calibration(path, entry.get("calibration")))


def _forget_first_weights(model: dict[str, Any]) -> None:
    """Which file training began with: a path on somebody's machine, and the checkpoint has its own weights."""
    if "net" in model:  # an exported file is described without one
        model["net"].setdefault("init_args", {})["init_checkpoint"] = None


def load_trained(path: Path) -> tuple[Recipe, HeatmapNet, PeakDecoder]:
    """All that predicting takes from a checkpoint: its recipe, its network with the weights, its decoder.

    Raises:
        InputError: it is none of ours, or is damaged.
    """
    content = read_checkpoint(path)
    recipe = read_recipe(path, content)
    check_size(path, content, recipe.settings)
    net = build(path, recipe.settings, "net", HeatmapNet)
    load_net(path, content, net)
    return recipe, net, build(path, recipe.settings, "decoder", PeakDecoder)


def build(path: Path, settings: Mapping[str, Any], part: str, kind: type[Part]) -> Part:
    """Build a part of the model that the recipe of ``path`` describes, untrained: ``net``, ``decoder`` and so on.

    Raises:
        InputError: the recipe does not describe one.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--part", type=kind)
    try:
        built = parser.instantiate(parser.parse_object({"part": settings["model"][part]})).part
    except InputError:
        raise
    except Exception as error:  # whatever a damaged recipe leads a constructor to
        raise InputError(f"{path}: its recipe of model.{part} cannot be built ({error})") from error
    assert isinstance(built, kind)
    return built


def check_size(path: Path, content: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse a recipe of a network that its own weights do not fill, before any memory is taken for it.

    Raises:
        InputError: the recipe describes no network, or another one.
    """
    with torch.device("meta"):
        net = build(path, settings, "net", HeatmapNet)
    _fitting(path, content, net)


def load_net(path: Path, content: Mapping[str, Any], net: nn.Module) -> None:
    """Fill a network with the weights of a checkpoint; all must fit, and be numbers.

    Raises:
        InputError: weights are missing, too many, of another shape, or not finite.
    """
    given = _fitting(path, content, net)
    bad = [name for name, tensor in given.items() if not torch.isfinite(tensor).all()]
    if bad:
        raise InputError(f"{path}: its weights {bad[0]} are not finite; the training broke down")
    net.load_state_dict(given)


def _fitting(path: Path, content: Mapping[str, Any], net: nn.Module) -> dict[str, torch.Tensor]:
    given = {str(k).removeprefix("net."): v for k, v in content["state_dict"].items() if str(k).startswith("net.")}
    own = net.state_dict()
    wrong = [name for name in own if getattr(given.get(name), "shape", None) != own[name].shape]
    wrong += [name for name in given if name not in own]
    if wrong:
        raise InputError(
            f"{path}: {len(wrong)} of its weights do not fit the network, {wrong[0]} first; "
            "was it trained with another configuration?"
        )
    return given


def _check_image_size(path: Path, size: Any) -> None:
    if size is None:
        return
    sides = [side for side in size if type(side) is int and side >= 1] if isinstance(size, list | tuple) else []
    if len(sides) != 2 or len(size) != 2 or sides[0] * sides[1] > MOST_PIXELS:
        raise InputError(f"{path}: its image_size is none that frames can be brought to: {size!s:.60}")


def keep_calibration(path: Path, chosen: Calibration, forget_given: bool = True) -> None:
    """Write another calibration into a checkpoint, whole or not at all.

    Args:
        path: of the checkpoint.
        chosen: in place of the one that it has.
        forget_given: whether it also replaces a threshold that the checkpoint was trained with by hand.
    """
    content = read_checkpoint(path)
    content[CHECKPOINT_KEY]["calibration"] = chosen.plain()
    if forget_given:
        content[CHECKPOINT_KEY]["recipe"]["model"]["decoder"].setdefault("init_args", {})["threshold"] = None
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def checked_calibration(path: Path, entry: Any) -> Calibration | None:
    """A calibration from its plain values, if there are any.

    Raises:
        InputError: they are none; the message names ``path``.
    """
    if entry is None:
        return None
    not_always = {"sureness", "views", "scales"}  # those of older versions lack them
    names = {field.name for field in fields(Calibration)} - {"look"} | not_always
    if not isinstance(entry, dict) or {*entry, *not_always} != names:
        raise InputError(f"{path}: its calibration is none: {entry!s:.60}")
    try:
        calibration = Calibration.read(entry)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: its calibration is none: {entry!s:.60}") from error
    whole = isinstance(calibration.n_images, int) and isinstance(calibration.n_points, int)
    if not whole or not isinstance(calibration.threshold, float) or not 0 <= calibration.threshold <= 1:
        raise InputError(f"{path}: its threshold is no probability: {entry!s:.60}")
    if calibration.sureness and not all(0 <= value <= 1 for value in calibration.sureness):
        raise InputError(f"{path}: what is said of how sure its threshold is holds no probabilities: {entry!s:.60}")
    return calibration


def _dotted_strings(value: Any) -> Iterator[str]:
    """All strings inside that could be a path to import or to open."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _dotted_strings(inner)
    elif isinstance(value, str) and not value.replace("_", "").isalnum():
        yield value
    elif value is not None and not isinstance(value, str | int | float | bool):
        yield f"a {type(value).__name__}"
