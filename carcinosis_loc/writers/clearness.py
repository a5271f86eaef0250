"""How clearly a frame shows the tissue: what a person would rather look at."""

import cv2
import numpy as np

from carcinosis_loc.data.dataset import Rgb
from carcinosis_loc.tracking.view import View

_LEAST_SHARE = 0.05  # of the frame: where less is tissue, nothing is seen


def clearness(image: Rgb) -> float:
    """Sharpness, the less the more glare there is; 0 where there is no tissue in view. To compare frames of a video.

    Sharpness is the mean absolute Laplacian of a small copy, smoothed so that noise weighs little, away from glare and
    the black border: smear and defocus lower it. What is left of the field by glare counts by its square.

    Args:
        image: ``(height, width, 3)``, uint8, RGB.
    """
    view = View.of(image)
    tissue = view.mask > 0
    if tissue.mean() < _LEAST_SHARE:
        return 0.0
    smooth = cv2.GaussianBlur(view.grey, (0, 0), 1.0)
    sharpness = float(np.abs(cv2.Laplacian(smooth, cv2.CV_32F))[tissue].mean())
    return sharpness * (1 - view.glare) ** 2
