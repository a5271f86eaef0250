"""A file that was just exported, held against the network that it was made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from carcinosis_loc.errors import RunError
from carcinosis_loc.models import HeatmapNet

Array = np.ndarray[Any, Any]
Answers = Callable[[Array, Array], Array]  # image, valid -> logits

_SHAPES = ((1, 64, 64), (2, 75, 101), (1, 33, 160))  # batch, height, width: multiples of 32 and others
_MOST = 0.01  # logits; float32 gives some 1e-5, a wrong graph more than 1


def largest_difference(net: HeatmapNet, answers: Answers) -> float:
    """The largest difference of logits on noise of several sizes.

    Raises:
        RunError: it is too large for rounding: this version of the exporter does not know the network.
    """
    random, differences = np.random.default_rng(0), []
    for batch, height, width in _SHAPES:
        image = random.integers(0, 256, (batch, 3, height, width), np.uint8)
        valid = np.ones((batch, 1, height, width), np.bool_)
        with torch.inference_mode():
            wanted = net.eval()(torch.from_numpy(image)).numpy()
        differences.append(float(np.abs(answers(image, valid) - wanted).max()))
    if not max(differences) < _MOST:
        raise RunError(
            f"the exported graph is wrong: its logits differ from PyTorch's by {max(differences):.3g}; nothing is "
            f"written (torch {torch.__version__})"
        )
    return max(differences)
