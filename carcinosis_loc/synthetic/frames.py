"""One frame, from the ground up."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.camera import Image, add_smoke, block_border, expose, round_border
from carcinosis_loc.synthetic.instruments import draw_instruments
from carcinosis_loc.synthetic.lookalikes import add_lookalikes
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.fields import mix
from carcinosis_loc.synthetic.nodules import paint_nodules
from carcinosis_loc.synthetic.placement import draw_sites
from carcinosis_loc.synthetic.scene import shade
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
    """Make one frame of ``size`` in the looks of one patient; the same generator gives the same frame."""
    scene = paint_tissue(rng, look, size)
    if rng.random() < look.blood:
        add_blood(rng, scene)
    instruments = draw_instruments(rng, look, scene)
    border = round_border(look, size)
    if border is not None:
        block_border(scene, border)
    sites = draw_sites(rng, look, scene)
    nodules = paint_nodules(rng, look, scene, sites)
    glare = add_lookalikes(rng, look, scene, sites)
    image = shade(scene, look)
    image += glare[..., None]
    if instruments is not None:
        mix(image, instruments.colour, instruments.cover)
    add_smoke(rng, look, image)
    return SyntheticFrame(expose(rng, look, image, border), nodules.xy, nodules.radius_px, nodules.conspicuity)
