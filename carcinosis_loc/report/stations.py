"""Stations of the abdomen, when the camera looked at which, and what was found there."""

import csv
import difflib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from carcinosis_loc.annotations.fields import shown
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import read_bytes
from carcinosis_loc.report.frames import Findings, Int64, Video
from carcinosis_loc.report.times import clock, parsed

STATIONS = (
    "diaphragm right",
    "diaphragm left",
    "liver",
    "stomach",
    "spleen",
    "omentum",
    "mesentery",
    "bowel",
    "peritoneum right",
    "peritoneum left",
    "pelvis",
)
_UNSIDED = ("diaphragm", "peritoneum")  # where nobody says which side


@dataclass(frozen=True)
class Interval:
    """A stretch of a video in which the camera looked at a station; ``end_s`` is not part of it."""

    video: str
    start_s: float
    end_s: float
    station: str
    line: int = 0


@dataclass(frozen=True)
class StationSummary:
    """What was seen of a station, over all its intervals.

    Attributes:
        station: its name.
        inspected_s: seconds.
        n_frames: frames looked at in them.
        median, highest: points a frame; None without a frame.
        density: median points a megapixel of the picture; None without a frame.
        n_unique: nodules linked over frames; None where nobody linked them.
        brief: too few seconds to judge by.
    """

    station: str
    inspected_s: float
    n_frames: int
    median: float | None
    highest: int | None
    density: float | None
    n_unique: int | None
    brief: bool


def read_stations(path: Path, videos: Sequence[Video]) -> list[Interval]:
    """Read the table of intervals: columns ``start, end, station``, and ``file_name`` where there are several videos.

    Times are seconds or ``hh:mm:ss``. An end may lie beyond the video's up to the next whole second.

    Raises:
        InputError: the table cannot be read, a time is none, a station is unknown, or intervals overlap or lie outside.
    """
    if not videos:
        raise InputError(f"{path}: station intervals need a video, and these predictions are of images, without times")
    try:
        text = io.StringIO(read_bytes(path).decode("utf-8-sig"), newline="")
        reader = csv.DictReader(text, restval="", skipinitialspace=True)
        columns, rows = reader.fieldnames or (), [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: this is no CSV table ({error})") from error
    needed = ("start", "end", "station", *(("file_name",) if len(videos) > 1 else ()))
    for name in needed:
        if name not in columns:
            why = " (there are several videos)" if name == "file_name" else ""
            raise InputError(f"{path}: the column {name} is missing{why}; the first line must name {','.join(needed)}")
        if columns.count(name) > 1:
            raise InputError(f"{path}: the column {name} is there twice; the first line must name {','.join(needed)}")
    if not rows:
        raise InputError(f"{path}: holds no interval")
    intervals = [_interval(path, line, row, videos) for line, row in rows]
    _refuse_overlap(path, intervals)
    return intervals


def _interval(path: Path, line: int, row: dict[str, str], videos: Sequence[Video]) -> Interval:
    where = f"{path}: line {line}"
    if any(cell.strip() for cell in row.get(None, ())):  # type: ignore[call-overload]  # what no column is for
        raise InputError(f"{where}: holds more cells than the first line names columns")
    name = row.get("file_name") or ""
    if not name and len(videos) == 1:
        name = videos[0].name
    video = next((one for one in videos if one.name == name), None)
    if video is None:
        raise InputError(f"{where}: no video {shown(name)} in these predictions")
    start_s, end_s = (_time(where, key, row[key]) for key in ("start", "end"))
    if end_s <= start_s:
        raise InputError(f"{where}: the interval ends ({shown(row['end'])}) before it starts ({shown(row['start'])})")
    if end_s > math.ceil(video.duration_s) or start_s >= video.duration_s > 0:
        until = f"reading broke off at {clock(video.duration_s)}" if video.broke_off else "the video is shorter"
        end = shown(row["end"])
        raise InputError(f"{where}: the interval reaches to {end}, but {until} ({video.duration_s:.1f} s)")
    if end_s >= video.duration_s:  # the last frame may lie at the very end
        end_s = math.nextafter(video.duration_s, math.inf)
    return Interval(name, start_s, end_s, _station(where, row), line)


def _time(where: str, key: str, text: str) -> float:
    try:
        return parsed(text)
    except ValueError:
        raise InputError(f"{where}: {key} must be seconds or hh:mm:ss, not {shown(text)}") from None


def _station(where: str, row: dict[str, str]) -> str:
    given = " ".join(row["station"].replace("_", " ").replace("-", " ").casefold().split())
    known = {name: name for name in (*STATIONS, *_UNSIDED)}
    known |= {" ".join(reversed(name.split())): name for name in STATIONS}  # "right diaphragm"
    if given not in known:
        near = difflib.get_close_matches(given, list(known), 1)
        hint = f"did you mean {known[near[0]]}? " if near else ""
        names = ", ".join((*STATIONS, *_UNSIDED))
        raise InputError(f"{where}: unknown station {shown(row['station'])}; {hint}known are {names}")
    return known[given]


def _refuse_overlap(path: Path, intervals: Sequence[Interval]) -> None:
    ordered = sorted(intervals, key=lambda one: (one.video, one.start_s))
    for first, second in pairwise(ordered):
        if first.video == second.video and second.start_s < first.end_s:
            raise InputError(f"{path}: the intervals of lines {first.line} and {second.line} overlap")


def frames_of(findings: Findings, intervals: Sequence[Interval]) -> Int64:
    """Indices of the frames that lie in the intervals."""
    chosen = []
    for video in findings.videos:
        time_s = findings.frames.time_s[video.frames]
        for one in intervals:
            if one.video == video.name:
                chosen.append(video.frames[(time_s >= one.start_s) & (time_s < one.end_s)])
    return np.concatenate(chosen) if chosen else np.zeros(0, np.int64)


def summaries(findings: Findings, intervals: Sequence[Interval], least_s: float) -> list[StationSummary]:
    """One summary for each station that has an interval, in the order of ``STATIONS``."""
    counts = findings.counts()
    named = {one.station for one in intervals}
    order = [name for name in (*STATIONS, *_UNSIDED) if name in named]
    return [_summary(findings, counts, name, [i for i in intervals if i.station == name], least_s) for name in order]


def _summary(
    findings: Findings, counts: Int64, station: str, intervals: Sequence[Interval], least_s: float
) -> StationSummary:
    chosen = frames_of(findings, intervals)
    inspected_s = sum(one.end_s - one.start_s for one in intervals)
    seen = counts[chosen]
    megapixels = findings.frames.size[chosen].prod(axis=1) / 1e6
    return StationSummary(
        station,
        inspected_s,
        len(chosen),
        float(np.median(seen)) if len(seen) else None,
        int(seen.max()) if len(seen) else None,
        float(np.median(seen / megapixels)) if len(seen) else None,
        _unique(findings, chosen),
        inspected_s < least_s or not len(seen),
    )


def _unique(findings: Findings, chosen: Int64) -> int | None:
    if findings.tracks is None:
        return None
    total, found = 0, findings.found
    for video in findings.videos:
        tracks = [one.track_id for one in findings.tracks_of(video) or ()]
        here = np.isin(found.frame, np.intersect1d(video.frames, chosen)) & (found.score >= findings.threshold)
        total += len(np.intersect1d(np.unique(found.track_id[here]), tracks))
    return total
