"""Which frames stand beside the items of the sheet."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from carcinosis_loc.report.fagotti import Item
from carcinosis_loc.report.frames import Findings
from carcinosis_loc.report.stations import Interval, frames_of

_MOST_FRAMES = 3
_APART_S = 2.0  # moments nearer than this show the same


@dataclass(frozen=True)
class Moment:
    """A frame of many points.

    Attributes:
        frame: its index.
        n_points: how many.
        shown: the page holds its picture.
        station: which one it is of; None where nobody said.
        brief: that station was inspected too briefly to judge.
    """

    frame: int
    n_points: int
    shown: bool
    station: str | None = None
    brief: bool = False


def evidence(
    findings: Findings, item: Item, intervals: Sequence[Interval], brief: Set[str] = frozenset()
) -> list[Moment]:
    """The best frames of the item's stations, apart in time: some with a picture, then some without.

    Those are best that show the most nodules that count, see ``Findings.steady_counts``; frames of stations that were
    inspected too briefly (``brief``) come last. What was seen is evidence however briefly: that is why they come.
    Empty where points do not inform the item, or no interval is of its stations.
    """
    station_of: dict[int, str | None] = {}
    for name in item.stations:
        frames = frames_of(findings, [one for one in intervals if one.station == name])
        station_of |= dict.fromkeys(frames.tolist(), name)
    return _best(findings, station_of, brief)


def busiest(findings: Findings) -> list[Moment]:
    """The same among all key frames, for where nobody said what the camera looked at."""
    return _best(findings, {frame: None for frame, _ in findings.key_frames})


def _best(findings: Findings, station_of: Mapping[int, str | None], brief: Set[str] = frozenset()) -> list[Moment]:
    counts, steady = findings.counts(), findings.steady_counts()
    shown = {frame for frame, _ in findings.key_frames}
    order = sorted(station_of, key=lambda i: (i not in shown, station_of[i] in brief, -steady[i], i))
    taken: list[Moment] = []
    for frame in order:
        same_kind = sum(one.shown == (frame in shown) for one in taken)
        if same_kind < _MOST_FRAMES and counts[frame] > 0 and all(_apart(findings, frame, one.frame) for one in taken):
            station = station_of[frame]
            taken.append(Moment(frame, int(counts[frame]), frame in shown, station, station in brief))
    return taken


def _apart(findings: Findings, one: int, other: int) -> bool:
    frames = findings.frames
    gap = abs(frames.time_s[one] - frames.time_s[other])
    return frames.name[one] != frames.name[other] or bool(np.isnan(gap) or gap >= _APART_S)
