"""What the frames of one patient have in common."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.points import Float32


@dataclass(frozen=True)
class Look:
    """Tissue, light, camera and disease of one patient.

    Lengths are in pixels of a 192-pixel frame, colours ``(3, 1, 1)``.

    Attributes:
        tone: peritoneum, RGB, linear light.
        fat_tone: fat, RGB, linear light.
        fat_share: share of the surface that is fat, about.
        fold_strength: how deep the folds are.
        fold_angle: main direction of the folds, radians.
        vessels: how many vessels, 1 is usual.
        light_offset: where the light stands, ``(x, y)``, as a share of the shorter side from the centre.
        light_distance: how far it stands, in shorter sides.
        exposure: brightness of the well lit places.
        gloss: strength of wet highlights.
        shininess: the greater, the smaller the highlights.
        border_radius: radius of the round image in half diagonals; above 1.2 there is no dark border.
        white_balance: RGB gain.
        nodule_tone: nodules, RGB, linear light.
        nodule_opacity: how little tissue shows through.
        hyperaemia: how red the rim around nodules is, 0 to 1.
        size_shares: shares of miliary, common and plaque-like nodules; sum 1.
        burden: number of nodules against the mean.
        blur_px: defocus, Gaussian sigma.
        noise: sensor noise, standard deviation of display values 0 to 1.
        jpeg_quality: 1 to 100.
        blood, smoke, instruments, loops, organ: how probable each is in a frame.
    """

    tone: Float32
    fat_tone: Float32
    fat_share: float
    fold_strength: float
    fold_angle: float
    vessels: float
    light_offset: tuple[float, float]
    light_distance: float
    exposure: float
    gloss: float
    shininess: float
    border_radius: float
    white_balance: Float32
    nodule_tone: Float32
    nodule_opacity: float
    hyperaemia: float
    size_shares: tuple[float, float, float]
    burden: float
    blur_px: float
    noise: float
    jpeg_quality: int
    blood: float
    smoke: float
    instruments: float
    loops: float
    organ: float


_TISSUE = np.array([[226, 146, 124], [220, 126, 108], [206, 104, 92], [230, 166, 138], [222, 130, 104]], np.float32)
_FAT = np.array([[255, 200, 118], [255, 190, 100], [252, 210, 146]], np.float32)
_NODULE = np.array([[254, 232, 212], [250, 216, 186], [254, 212, 198], [250, 226, 194]], np.float32)


def draw_look(rng: np.random.Generator) -> Look:
    """Draw one patient."""
    miliary = rng.uniform(0.15, 0.45)
    plaques = rng.uniform(0.02, 0.1)
    offset = rng.uniform(-0.2, 0.2, 2)
    return Look(
        tone=_colour(rng, _TISSUE, 5),
        fat_tone=_colour(rng, _FAT, 5),
        fat_share=float(rng.choice([0.0, rng.uniform(0.05, 0.3)], p=[0.35, 0.65])),
        fold_strength=float(rng.uniform(0.5, 1.4)),
        fold_angle=float(rng.uniform(0, np.pi)),
        vessels=float(rng.uniform(0.4, 1.6)),
        light_offset=(float(offset[0]), float(offset[1])),
        light_distance=float(rng.uniform(0.75, 1.15)),
        exposure=float(rng.uniform(0.95, 1.25)),
        gloss=float(rng.uniform(0.5, 1.2)),
        shininess=float(rng.uniform(120, 300)),
        border_radius=float(rng.choice([rng.uniform(0.78, 0.95), 2.0], p=[0.35, 0.65])),
        white_balance=rng.normal(1, [0.02, 0.02, 0.03]).astype(np.float32).reshape(3, 1, 1),
        nodule_tone=_colour(rng, _NODULE, 4),
        nodule_opacity=float(rng.uniform(0.55, 0.85)),
        hyperaemia=float(rng.uniform(0, 0.5)),
        size_shares=(miliary, 1 - miliary - plaques, plaques),
        burden=float(np.exp(rng.normal(-0.01, 0.15))),
        blur_px=float(rng.uniform(0.3, 0.6)),
        noise=float(rng.uniform(0.006, 0.016)),
        jpeg_quality=int(rng.integers(80, 96)),
        blood=float(rng.uniform(0.05, 0.5)),
        smoke=float(rng.uniform(0.05, 0.35)),
        instruments=float(rng.uniform(0.2, 0.5)),
        loops=float(rng.uniform(0.1, 0.6)),
        organ=float(rng.uniform(0.05, 0.4)),
    )


def _colour(rng: np.random.Generator, choices: Float32, spread: float) -> Float32:
    """A blend of the display colours ``choices`` (0 to 255) with some spread, in linear light."""
    shares = rng.dirichlet(np.full(len(choices), 0.5))
    shade = shares @ choices + rng.normal(0, spread, 3)
    return ((np.clip(shade, 0, 255) / 255) ** 2).astype(np.float32).reshape(3, 1, 1)
