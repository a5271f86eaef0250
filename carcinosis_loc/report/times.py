"""Seconds as people write them, and back."""

import re


def clock(seconds: float) -> str:
    """``hh:mm:ss``, or ``mm:ss`` below an hour, cut to the second."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def parsed(text: str) -> float:
    """Seconds from ``90``, ``90.5``, ``1:30`` or ``0:01:30.5``.

    Raises:
        ValueError: it is none of these.
    """
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if match is None:
        raise ValueError(text)
    hours, minutes, seconds = match.groups()
    if minutes is not None and (float(seconds) >= 60 or (hours is not None and int(minutes) >= 60)):
        raise ValueError(text)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
