"""What is exported of a checkpoint."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from carcinosis_loc.detector import look_of
from carcinosis_loc.errors import InputError
from carcinosis_loc.export.metadata import Metadata
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.look import ONCE
from carcinosis_loc.models import HeatmapNet
from carcinosis_loc.recipe import load_trained
from carcinosis_loc.version import version


class Trained(NamedTuple):
    """What a checkpoint holds that is exported."""

    net: HeatmapNet
    metadata: Metadata


def read_trained(path: Path, top_k: int | None = None) -> Trained:
    """Network and description of a checkpoint, whose ``top_k`` gives way to one that is given.

    Raises:
        InputError: it is none of ours, or is damaged.
    """
    recipe, net, decoder = load_trained(path)
    if type(decoder) is not PeakDecoder:
        raise InputError(f"{path}: its decoder is a {type(decoder).__name__}; only PeakDecoder can be exported")
    decoder.top_k = decoder.top_k if top_k is None else top_k
    if (look := look_of(recipe.calibration)) != ONCE:
        raise InputError(
            f"{path}: its threshold was chosen looking {look}, and an exported file looks once: choose it anew by "
            f"carcloc calibrate with {ONCE.options}"
        )
    data, size = recipe.settings["data"], recipe.settings["data"].get("image_size")
    metadata = Metadata(
        version=version(),
        image_size=None if size is None else (size[0], size[1]),
        category=data.get("category"),
        stride=net.stride,
        match_radius_px=float(recipe.settings["model"].get("match_radius_px", 6.0)),
        decoder=decoder,
        calibration=recipe.calibration,
        checkpoint_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        multiple=net.multiple,
    )
    return Trained(net.eval(), metadata)
