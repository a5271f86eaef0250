"""The frames of a video: the strip as the moving camera sees it, and which nodules are in view."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Float32, Size
from carcinosis_loc.synthetic.camera import Image, add_smoke, expose, round_border
from carcinosis_loc.synthetic.fields import blur, middle, mix, unit
from carcinosis_loc.synthetic.flight import Pose
from carcinosis_loc.synthetic.instruments import Overlay, draw_instruments
from carcinosis_loc.synthetic.looks import Look
from carcinosis_loc.synthetic.panorama import Panorama
from carcinosis_loc.synthetic.scene import Scene, facing, highlights, shade
from carcinosis_loc.synthetic.tissue import spotlight

_DARKEST = 0.15  # light below which no nodule counts as visible
_COVERED = 0.5


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """A picture of the video with the nodules that are visible in it.

    Attributes:
        image: ``(H, W, 3)``, uint8, RGB.
        track_id: ``(N,)``, from 1 up: the nodules' numbers in this video.
        xy: ``(N, 2)``, image pixels.
        radius_px: ``(N,)``, image pixels.
    """

    image: Image
    track_id: npt.NDArray[np.int64]
    xy: npt.NDArray[np.float64]
    radius_px: Float32


@dataclass(frozen=True, eq=False)
class Weather:
    """What stands before the camera for part of the video.

    Attributes:
        instruments: an overlay that drifts, or None.
        instruments_s: from when to when, seconds.
        smoke_s: from when to when there may be smoke, seconds.
        smoke_seed: of the cloud, which hangs still.
        drift: pixels a second, ``(x, y)``.
    """

    instruments: Overlay | None
    instruments_s: tuple[float, float]
    smoke_s: tuple[float, float]
    smoke_seed: int
    drift: tuple[float, float]


def draw_weather(rng: np.random.Generator, look: Look, size: Size, seconds: float) -> Weather:
    """Draw what comes between the lens and the tissue: for a fifth to half of the time each."""
    flat = np.ones(size, np.float32)
    empty = Scene(np.zeros((3, *size), np.float32), flat * 0, flat, flat * 0, np.zeros(size, bool))
    instruments = draw_instruments(rng, look, empty)
    spans = []
    for _ in range(2):
        length = rng.uniform(0.2, 0.5) * seconds
        start = rng.uniform(0, seconds - length)
        spans.append((float(start), float(start + length)))
    drift = rng.uniform(-0.06, 0.06, 2) * min(size)
    return Weather(instruments, spans[0], spans[1], int(rng.integers(2**31)), (float(drift[0]), float(drift[1])))


def film(
    rng: np.random.Generator, look: Look, panorama: Panorama, weather: Weather, pose: Pose, size: Size
) -> VideoFrame:
    """Take one frame of ``size``; the generator gives the sensor's noise alone."""
    scene, glare = _seen(panorama, pose, size)
    scene.light *= spotlight(look, size)
    image = shade(scene, look)
    image += glare
    hidden = np.maximum(highlights(scene, look, facing(scene, look)[0]), scene.light < _DARKEST)
    if weather.instruments is not None and weather.instruments_s[0] <= pose.time_s < weather.instruments_s[1]:
        overlay = _drifted(weather, pose.time_s, size)
        mix(image, overlay.colour, overlay.cover)
        hidden = np.maximum(hidden, overlay.cover)
    if weather.smoke_s[0] <= pose.time_s < weather.smoke_s[1]:
        add_smoke(np.random.default_rng(weather.smoke_seed), look, image)
    border = round_border(look, size)
    if border is not None:
        hidden = np.maximum(hidden, border < 0.7)
    if pose.away:
        image = np.stack([blur(np.ascontiguousarray(plane), 40 * unit(size)) for plane in image]) * np.float32(0.05)
        hidden = np.ones(size, np.float32)
    picture = expose(rng, look, image, border)
    return VideoFrame(picture, *_visible(panorama, pose, hidden, size))


def _seen(panorama: Panorama, pose: Pose, size: Size) -> tuple[Scene, Float32]:
    """The part of the strip that the camera looks at, as a scene of the frame's size, and its glare."""
    x, y = np.meshgrid(np.arange(size[1], dtype=np.float64), np.arange(size[0], dtype=np.float64))
    still = _to_strip(pose, np.stack([x, y], axis=2), size)
    maps = (still - pose.breath * panorama.breathed(still)).astype(np.float32)
    whole = panorama.scene
    planes = [*whole.albedo, whole.height, whole.light, whole.gloss, panorama.glare]
    seen = [cv2.remap(plane, maps, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101) for plane in planes]
    albedo = np.maximum(np.stack(seen[:3]), 0)
    height, light, gloss, glare = seen[3:]
    # the relief's slopes stay as they are, whatever the zoom
    scene = Scene(albedo, height * np.float32(pose.zoom), np.maximum(light, 0), gloss, np.zeros(size, bool))
    return scene, np.maximum(glare, 0)


def _to_strip(pose: Pose, xy: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.float64]:
    """Image pixels to pixels of the strip, without breathing."""
    z = (xy[..., 0] + 1j * xy[..., 1] - complex(*middle(size))) * np.exp(1j * pose.turn) / pose.zoom
    return np.stack([z.real + pose.x, z.imag + pose.y], axis=-1)


def _to_frame(panorama: Panorama, pose: Pose, xy: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.float64]:
    """Pixels of the strip to image pixels, breathing included."""
    still = xy.copy()
    for _ in range(8):  # breathing is smooth and slight: each round makes the error ten times smaller
        still = xy + pose.breath * panorama.breathed(still[None])[0]
    z = (still[:, 0] - pose.x + 1j * (still[:, 1] - pose.y)) * np.exp(-1j * pose.turn) * pose.zoom
    z += complex(*middle(size))
    return np.stack([z.real, z.imag], axis=1)


def _drifted(weather: Weather, time_s: float, size: Size) -> Overlay:
    assert weather.instruments is not None
    x, y = (speed * (time_s - weather.instruments_s[0]) for speed in weather.drift)
    move = np.array([[1, 0, x], [0, 1, y]])
    planes = [
        cv2.warpAffine(plane, move, size[::-1], borderMode=cv2.BORDER_REPLICATE)
        for plane in (*weather.instruments.colour, weather.instruments.cover)
    ]
    return Overlay(np.stack(planes[:3]), planes[3])


def _visible(
    panorama: Panorama, pose: Pose, hidden: npt.NDArray[np.generic], size: Size
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], Float32]:
    xy = _to_frame(panorama, pose, panorama.nodules.xy.astype(np.float64), size)
    inside = np.flatnonzero(((xy >= 0) & (xy <= np.array(size[::-1]) - 1)).all(1))
    column, row = np.rint(xy[inside]).astype(np.int64).T
    kept = inside[np.asarray(hidden)[row, column] < _COVERED]
    return kept + 1, xy[kept], panorama.nodules.radius_px[kept] * np.float32(pose.zoom)
