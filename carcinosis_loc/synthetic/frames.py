"""One frame, from the ground up."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.backgrounds import background_scene
from carcinosis_loc.synthetic.camera import Image, add_smoke, expose, round_border
from carcinosis_loc.synthetic.fields import mix
from carcinosis_loc.synthetic.instruments import draw_instruments
from carcinosis_loc.synthetic.lookalikes import add_lookalikes
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.nodules import Nodules, paint_nodules
from carcinosis_loc.synthetic.placement import draw_sites
from carcinosis_loc.synthetic.scene import facing, highlights, shade
from carcinosis_loc.synthetic.tissue import add_blood, paint_tissue


@dataclass(frozen=True)
class SyntheticFrame:
    """A picture with all that is on it.

    Attributes:
        image: ``(H, W, 3)``, uint8, RGB.
        points: ``(N, 2)``, float32: the nodules' centres in image pixels, all inside the frame.
        radius_px: ``(N,)``, float32, image pixels.
        conspicuity: ``(N,)``, float32, 0 to 1: contrast times size.
    """

    image: Image
    points: Float32
    radius_px: Float32
    conspicuity: Float32


def make_frame(rng: np.random.Generator, look: Look, size: Size) -> SyntheticFrame:
    """Make one frame of ``size`` in the looks of one patient; the same generator state gives the same frame."""
    scene = paint_tissue(rng, look, size)
    if rng.random() < look.blood:
        add_blood(rng, scene)
    instruments = draw_instruments(rng, look, scene)
    border = round_border(look, size)
    if border is not None:
        scene.blocked |= border < 0.7
    scene.blocked |= highlights(scene, look, facing(scene, look)[0]) > 0.5
    sites = draw_sites(rng, look, scene)
    nodules = paint_nodules(rng, look, scene, sites)
    glare = add_lookalikes(rng, look, scene, sites)
    image = shade(scene, look)
    image += glare
    if instruments is not None:
        mix(image, instruments.colour, instruments.cover)
    add_smoke(rng, look, image)
    return _frame(expose(rng, look, image, border), nodules)


def make_frame_on(rng: np.random.Generator, look: Look, background: Image, size: Size) -> SyntheticFrame:
    """Paint nodules on a random crop of a lesion-free picture, resized to ``size``; the rest stays as it is."""
    scene = background_scene(rng, background, size)
    nodules = paint_nodules(rng, look, scene, draw_sites(rng, look, scene))
    display = np.sqrt(np.clip(shade(scene, look), 0, 1)) * 255
    return _frame(np.ascontiguousarray(np.rint(display).astype(np.uint8).transpose(1, 2, 0)), nodules)


def _frame(image: Image, nodules: Nodules) -> SyntheticFrame:
    height, width = image.shape[:2]
    points = np.clip(nodules.xy, 0, np.array([width - 1, height - 1], np.float32))
    return SyntheticFrame(image, points, nodules.radius_px, nodules.conspicuity)
