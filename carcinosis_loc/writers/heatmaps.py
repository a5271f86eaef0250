"""What the network says of each pixel."""

import cv2
import numpy as np

from carcinosis_loc.drawing import View
from carcinosis_loc.files import write_bytes
from carcinosis_loc.writers.base import Found, PredictionWriter


class Heatmaps(PredictionWriter):
    """``heatmaps/<name>.png``, of videos ``heatmaps/<name>/<frame>.png``: 16-bit grey, in the frame's own pixels.

    A value is the probability times 65535, rounded; it is absolute, never stretched to a map's own highest value.
    Between map cells it is interpolated linearly.
    """

    wants_pixels = True
    wants_heatmaps = True

    def frame(self, found: Found) -> None:
        """Write a heatmap."""
        assert self.about is not None
        assert found.heatmap is not None
        size = found.frame.size
        probability = found.heatmap.on(View(size, size, size))
        done, data = cv2.imencode(".png", np.round(np.clip(probability, 0, 1) * 65535).astype(np.uint16))
        if not done:
            raise ValueError(f"a heatmap of shape {probability.shape} cannot be written as PNG")
        name = self.about.name_of(found.frame)
        path = f"{name}/{found.index:06d}.png" if found.in_video else f"{name}.png"
        write_bytes(self.folder / "heatmaps" / path, bytes(data))
