"""A finished network in the place of the one that learns, for as long as it is asked what it finds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from carcinosis_loc.callbacks.standing_in import standing_in
from carcinosis_loc.errors import InputError
from carcinosis_loc.look import ONCE
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.models import TiledNet, looking
from carcinosis_loc.module import PointModule
from carcinosis_loc.recipe import load_trained


@contextmanager
def elder_in_place(module: PointModule, path: Path) -> Iterator[Calibration]:
    """Let a checkpoint's network stand in for the module's, in evaluation mode and without gradients.

    Args:
        module: has its own network again afterwards.
        path: of the checkpoint.

    Yields:
        The checkpoint's calibration.

    Raises:
        InputError: it cannot be read, has no calibration, or another stride.
    """
    try:
        recipe, net, _ = load_trained(path)
    except InputError as error:
        raise InputError(f"Teacher: its elder {error}") from error
    if recipe.calibration is None or net.stride != module.net.stride:
        lacks = "no calibrated threshold" if recipe.calibration is None else f"a stride of {net.stride}"
        raise InputError(f"Teacher: {path} has {lacks}, so it cannot teach this network")
    look = recipe.calibration.look
    seen = net if look.scales == ONCE.scales else TiledNet(net)  # enlarged frames may outgrow the memory
    with standing_in(module, looking(seen, look)):  # as its threshold was chosen
        yield recipe.calibration
