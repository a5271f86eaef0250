"""How the camera moves: from place to place and back again, near and far, turned and never quite still."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from carcinosis_loc.points import Size

_SPEED = (0.35, 0.9)  # shorter sides of the frame a second, in the mean of one move
_LONGEST_MOVE = 2.0  # shorter sides of the frame
_REST_S = (0.2, 1.0)
_ZOOM = (0.9, 1.35)
_TURN = np.radians(18)
_AWAY_S = (0.4, 1.0)
_BREATH_S = 4.0
_TREMOR = 0.004  # shorter sides of the frame


@dataclass(frozen=True)
class Pose:
    """Where the camera is at one moment.

    Attributes:
        time_s: seconds.
        x, y: of the frame's middle, pixels of the strip.
        zoom: pixels of the frame for one of the strip.
        turn: radians.
        breath: from -1 to 1.
        away: the camera is out of the body to be wiped: nothing can be seen.
    """

    time_s: float
    x: float
    y: float
    zoom: float
    turn: float
    breath: float
    away: bool


def fly(rng: np.random.Generator, frame_size: Size, strip_size: Size, n_frames: int, fps: float) -> list[Pose]:
    """Poses of all frames; the view never leaves the strip.

    Every third move leads back to a place that was seen before. Videos of 6 s or more are interrupted once: the
    camera is out for up to a second and comes back somewhere where it has been.
    """
    seconds = n_frames / fps
    times, stops, away = _stops(rng, min(frame_size), strip_size, seconds)
    phases = rng.uniform(0, 2 * np.pi, (4, 3))
    rates = rng.uniform(0.5, 2.5, (4, 3))
    breath_phase = rng.uniform(0, 2 * np.pi)
    poses = []
    for index in range(n_frames):
        time = index / fps
        tremor = np.sin(2 * np.pi * rates * time + phases).mean(1)
        at = np.clip(np.searchsorted(times, time, side="right") - 1, 0, len(times) - 2)
        share = float(np.clip((time - times[at]) / max(times[at + 1] - times[at], 1e-9), 0, 1))
        place = stops[at] + (stops[at + 1] - stops[at]) * (share * share * (3 - 2 * share))
        breath = float(np.sin(2 * np.pi * time / _BREATH_S + breath_phase))
        poses.append(_pose(place, tremor, frame_size, strip_size, time, breath, away[0] <= time < away[1]))
    return poses


Floats = npt.NDArray[np.float64]


def _stops(
    rng: np.random.Generator, short: int, strip_size: Size, seconds: float
) -> tuple[Floats, Floats, tuple[float, float]]:
    """Times, places ``(x, y, log zoom, turn)`` between which the camera moves, and the time when it is out."""
    stops = [_anywhere(rng, strip_size)]
    times, time, away = [0.0], 0.0, (seconds, seconds)
    out_at = seconds * rng.uniform(0.4, 0.6) if seconds >= 6 else np.inf
    for move in range(1, 100_000):
        last = stops[-1]
        if time >= out_at:
            # out of the body, and in again at an earlier place
            away, out_at = (time, time + rng.uniform(*_AWAY_S)), np.inf
            time = away[1]
            target = stops[int(rng.integers(len(stops)))]
        else:
            target = _anywhere(rng, strip_size) if move % 3 else stops[int(rng.integers(len(stops)))].copy()
            way = target[0] - last[0]
            if move % 3 and abs(way) > _LONGEST_MOVE * short:
                target[0] = last[0] + np.sign(way) * rng.uniform(0.5, 1) * _LONGEST_MOVE * short
            time += float(np.hypot(*(target - last)[:2])) / short / rng.uniform(*_SPEED) + 0.3
        for _ in range(2):  # it arrives, and rests
            stops.append(target)
            times.append(time)
            time += rng.uniform(*_REST_S)
        if times[-1] > seconds:
            break
    return np.array(times), np.array(stops), away


def _anywhere(rng: np.random.Generator, strip_size: Size) -> Floats:
    x, y = rng.uniform(0, 1, 2) * np.array(strip_size[::-1])
    return np.array([x, y, rng.uniform(*np.log(_ZOOM)), rng.uniform(-_TURN, _TURN)])


def _pose(
    place: Floats, tremor: Floats, frame_size: Size, strip_size: Size, time_s: float, breath: float, away: bool
) -> Pose:
    """The pose at a place, moved so that the frame's corners stay on the strip."""
    short = min(frame_size)
    zoom = float(np.exp(place[2] + 0.01 * tremor[2]))
    turn = _allowed(float(place[3] + 0.01 * tremor[3]), frame_size, min(strip_size) * zoom)
    half = _half_extent(turn, frame_size) / zoom
    room = np.array(strip_size[::-1]) - 1 - half
    x, y = np.clip(place[:2] + tremor[:2] * 3 * _TREMOR * short, half, np.maximum(room, half))
    return Pose(time_s, float(x), float(y), zoom, turn, breath, away)


def _half_extent(turn: float, frame_size: Size) -> Floats:
    height, width = frame_size
    cos, sin = abs(np.cos(turn)), abs(np.sin(turn))
    return np.array([width * cos + height * sin, width * sin + height * cos]) / 2


def _allowed(turn: float, frame_size: Size, room_px: float) -> float:
    """The angle, made smaller where a turned frame would reach over the strip's edges."""
    while abs(turn) > 1e-3 and 2 * _half_extent(turn, frame_size)[1] > room_px:
        turn *= 0.9
    return turn
