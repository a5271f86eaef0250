"""Seconds as people write them, and back."""

import re

import numpy as np

from carcinosis_loc.report.frames import Float64

LONGEST_S = 1e9  # no video is longer: 32 years
_FINEST = 2  # decimals: at 60 frames a second two frames are 0.016 s apart


def clock(seconds: float, decimals: int = 0) -> str:
    """``hh:mm:ss``, or ``mm:ss`` below an hour, cut to the second or to so many decimals of it."""
    steps = int(seconds * 10**decimals + 1e-6)  # 19.9 * 10 may be 198.99...
    whole, part = divmod(steps, 10**decimals)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"
    return f"{text}.{part:0{decimals}d}" if decimals else text


def decimals_between(time_s: Float64) -> int:
    """How many decimals of a second tell the frames of a video apart, 0 to 2, by the step between most of them.

    Args:
        time_s: ``(N,)``, rising.
    """
    step = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    return next((decimals for decimals in range(_FINEST) if step >= 10.0**-decimals - 1e-6), _FINEST)


def parsed(text: str) -> float:
    """Seconds from ``90``, ``90.5``, ``1:30`` or ``0:01:30.5``.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if match is None:
        raise ValueError(text)
    hours, minutes, seconds = match.groups()
    if minutes is not None and (float(seconds) >= 60 or (hours is not None and float(minutes) >= 60)):
        raise ValueError(text)
    return float(hours or 0) * 3600 + float(minutes or 0) * 60 + float(seconds)
