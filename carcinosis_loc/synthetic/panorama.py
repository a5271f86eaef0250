"""A strip of peritoneum, longer than a frame, for a camera to move over."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import float32, smooth_noise
from carcinosis_loc.synthetic.lookalikes import add_lookalikes
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.nodules import Nodules, paint_nodules
from carcinosis_loc.synthetic.placement import draw_sites
from carcinosis_loc.synthetic.scene import Scene
from carcinosis_loc.synthetic.tissue import add_blood, paint_tissue

SHORTER_SIDE = 1.45
"""Of the strip, in shorter sides of the frame: room to turn and to move across."""
_LENGTH = 5  # of the strip, in its shorter sides
_FRAMES_OF_NODULES = 8  # of a single frame's, on ten times its area
_BREATH = 0.02  # how far breathing moves the tissue, in shorter sides of the strip


@dataclass(frozen=True, eq=False)
class Panorama:
    """What the camera moves over; lit evenly, as the lamp comes with the camera.

    Attributes:
        scene: albedo, relief and light without the lamp's fall-off.
        glare: ``(H, W)``, linear light: bubbles and fixed spots.
        nodules: their places in pixels of the strip; row by row the identities.
        breath: ``(2, H, W)``, pixels of the strip: how far a full breath moves each place in x and y.
    """

    scene: Scene
    glare: Float32
    nodules: Nodules
    breath: Float32

    def breathed(self, places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Movement of ``places``, ``(R, C, 2)``, in a full breath, pixels of the strip."""
        maps = places.astype(np.float32)
        x, y = (
            cv2.remap(plane, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for plane in self.breath
        )
        return np.stack([x, y], axis=2).astype(np.float64)


def make_panorama(rng: np.random.Generator, look: Look, frame_size: Size) -> Panorama:
    """Paint a strip for frames of ``frame_size``."""
    short = round(SHORTER_SIDE * min(frame_size))
    size = (short, _LENGTH * short)
    scene = paint_tissue(rng, look, size, spot=False)
    if rng.random() < look.blood:
        add_blood(rng, scene)
    sites = draw_sites(rng, look, scene, _FRAMES_OF_NODULES)
    nodules = paint_nodules(rng, look, scene, sites)
    glare = np.zeros(size, np.float32)
    for _ in range(_LENGTH):
        glare += add_lookalikes(rng, look, scene, sites)
    breath = np.stack([smooth_noise(rng, size, 1.2 * short) for _ in range(2)]) * np.float32(_BREATH * short)
    return Panorama(scene, glare, nodules, float32(breath))
