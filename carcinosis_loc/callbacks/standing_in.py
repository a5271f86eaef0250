"""Another network in the place of the one that learns, for as long as it is asked what it finds."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from carcinosis_loc.models import Ready
from carcinosis_loc.module import PointModule


@contextmanager
def standing_in(module: PointModule, net: Ready) -> Iterator[None]:
    """Let a network stand in for the module's, in evaluation mode, without gradients, and on the module's device.

    Args:
        module: has its own network again afterwards.
        net: the other one.
    """
    own, module.net = module.net, net.to(module.device).eval()  # type: ignore[assignment]
    try:
        with torch.no_grad():
            yield
    finally:
        module.net = own
