"""Where nodules grow: clusters around hidden parents (a Neyman-Scott process) and scattered ones."""

from dataclasses import dataclass

import numpy as np

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.fields import unit
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.scene import Scene

MEAN_NODULES = 36.0
_EMPTY_SHARE = 0.03
_DISPERSION = 12.0  # of the negative binomial: a standard deviation of 12 at 36 nodules
_MOST = 80
_SPACING = 1.3  # least distance between centres, in sums of radii
_LEAST_SPACING_PX = 7.0  # and in pixels of a 192-pixel frame: grains that touch are one object to an annotator
_ATTEMPTS = 25


@dataclass(frozen=True)
class Sites:
    """Centres ``(N, 2)`` and radii ``(N,)`` in pixels of the frame."""

    xy: Float32
    radius_px: Float32


def draw_sites(rng: np.random.Generator, look: Look, scene: Scene, n_frames: int = 1) -> Sites:
    """Draw the sites of a scene; none is on a blocked pixel, and no two are closer than the spacing.

    ``n_frames`` is how many frames' worth of nodules the scene has room for.
    """
    count = sum(_draw_count(rng, look) for _ in range(n_frames))
    radii = np.sort(_draw_radii(rng, look, count))[::-1] * unit(scene.size)  # large ones first: they need room
    propose = _Proposal(rng, scene.size, count)
    xy = np.zeros((count, 2))
    kept = np.zeros(count)
    n = 0
    for radius in radii:
        for _ in range(_ATTEMPTS):
            candidate = propose()
            if _is_free(scene, candidate, float(radius), xy[:n], kept[:n]):
                xy[n], kept[n] = candidate, radius
                n += 1
                break
    order = rng.permutation(n)
    return Sites(xy[:n][order].astype(np.float32), kept[:n][order].astype(np.float32))


def _draw_count(rng: np.random.Generator, look: Look) -> int:
    if rng.random() < _EMPTY_SHARE:
        return 0
    mean = MEAN_NODULES / (1 - _EMPTY_SHARE) * look.burden
    return min(_MOST, int(rng.negative_binomial(_DISPERSION, _DISPERSION / (_DISPERSION + mean))))


def _draw_radii(rng: np.random.Generator, look: Look, count: int) -> Float32:
    """Radii in pixels of a 192-pixel frame."""
    kind = rng.choice(3, count, p=look.size_shares)
    miliary = rng.uniform(1.7, 3.0, count)
    common = np.clip(4.2 * np.exp(rng.normal(0, 0.25, count)), 2.8, 6.5)
    plaques = rng.uniform(6.6, 10.5, count)
    return np.choose(kind, [miliary, common, plaques]).astype(np.float32)


class _Proposal:
    """Draws candidate centres ``(x, y)``: near a parent, or anywhere."""

    def __init__(self, rng: np.random.Generator, size: Size, count: int) -> None:
        self.rng = rng
        self.extent = np.array([size[1], size[0]], float)
        parents = 1 + rng.poisson(max(count, 1) / 14)
        self.parents = rng.uniform(-0.02, 1.02, (parents, 2)) * self.extent
        self.spread = min(size) * rng.uniform(0.05, 0.14, parents)
        self.upto = np.cumsum(rng.dirichlet(np.full(parents, 2.0)))[:-1]
        self.clustered = rng.uniform(0.5, 0.85)

    def __call__(self) -> np.ndarray:
        if self.rng.random() < self.clustered:
            parent = np.searchsorted(self.upto, self.rng.random())
            return np.asarray(self.parents[parent] + self.rng.normal(0, self.spread[parent], 2))
        return np.asarray(self.rng.uniform(0, 1, 2) * self.extent - 0.5)


def _is_free(scene: Scene, xy: np.ndarray, radius: float, others: np.ndarray, radii: np.ndarray) -> bool:
    height, width = scene.size
    x, y = float(xy[0]), float(xy[1])
    if not (0 <= x <= width - 1 and 0 <= y <= height - 1) or scene.blocked[round(y), round(x)]:
        return False
    if not len(others):
        return True
    least = np.maximum(_SPACING * (radii + radius), _LEAST_SPACING_PX * unit(scene.size))
    return bool((((others - xy) ** 2).sum(1) >= least**2).all())
