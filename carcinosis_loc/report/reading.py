"""A predictions folder from disk, checked: whatever is wrong is one line that names the file and the place in it."""

import csv
import math
import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.annotations.fields import LARGEST_NUMBER, by_id, entries, is_number, shown
from carcinosis_loc.errors import InputError
from carcinosis_loc.report.documents import check_ordinary, read_object
from carcinosis_loc.report.frames import Findings, Found, Frames, Int64, Track, Video
from carcinosis_loc.report.origin import read_key_frames, read_provenance
from carcinosis_loc.report.times import LONGEST_S

Place = tuple[str, str]  # file name, and the number of the frame in it (empty for an image)


def read_findings(folder: Path) -> Findings:
    """Read ``images.json`` and ``points.csv``, and ``tracks.csv``, key frames and provenance where they are.

    Raises:
        InputError: a file is missing or damaged, there is no frame, or files do not belong together.
    """
    frames, index = _read_frames(folder / "images.json")
    found = _read_points(folder / "points.csv", index)
    provenance = read_provenance(folder / "provenance.json")
    videos, images = _sources(frames, provenance, folder / "provenance.json")
    threshold = provenance.get("threshold")
    if threshold is None:
        threshold = float(found.score.min()) if len(found) else 0.5
    key_frames, clear = read_key_frames(folder, {int(one): place for place, one in enumerate(frames.image_id)})
    tracks = _read_tracks(folder / "tracks.csv", {video.name for video in videos}) if videos else None
    return Findings(folder, frames, found, threshold, videos, images, tracks, key_frames, clear, provenance)


def _read_frames(path: Path) -> tuple[Frames, dict[Place, int]]:
    listed = list(by_id(entries(read_object(path), "images", path)).values())
    if not listed:
        raise InputError(f"{path}: lists no frame, so there is nothing to report; run carcloc predict again")
    index: dict[Place, int] = {}
    names, times = [], []
    for place, entry in enumerate(listed):
        name, time_s, number = entry.required("file_name"), entry.fields.get("time_s"), entry.fields.get("frame")
        if not isinstance(name, str):
            raise entry.error(f'"file_name" must be a text, not {shown(name)}')
        if time_s is not None and not (is_number(time_s) and 0 <= time_s <= LONGEST_S):
            raise entry.error(f'"time_s" must be a number of seconds from 0 to {LONGEST_S:g}, not {shown(time_s)}')
        key = (name, "" if number is None else str(number))
        if index.setdefault(key, place) != place:
            raise entry.error(f"{shown(name)} is listed twice; its points cannot be told apart")
        names.append(name)
        times.append(math.nan if time_s is None else float(time_s))
    sizes = [(entry.integer("height", 1), entry.integer("width", 1)) for entry in listed]
    ids = np.array([entry.integer("id") for entry in listed], np.int64)
    return Frames(ids, names, np.array(sizes, np.int64), np.array(times, np.float64)), index


def _read_points(path: Path, index: Mapping[Place, int]) -> Found:
    frame, track, values = array("q"), array("q"), array("d")
    with _rows(path, ("file_name", "x", "y", "score")) as rows:
        for line, row in rows:
            place = index.get((row["file_name"], row.get("frame") or ""))
            if place is None:
                raise InputError(f"{path}: line {line}: no such frame in images.json; the files do not belong together")
            x, y, score = (_number(row[key], path, line, key) for key in ("x", "y", "score"))
            if not 0 <= score <= 1:
                raise InputError(f"{path}: line {line}: score must lie in [0, 1], not {score:g}")
            frame.append(place)
            track.append(_whole(row.get("track_id") or "0", path, line, "track_id"))
            values.extend((x, y, score))
    table = np.array(values, np.float64).reshape(-1, 3)
    return Found(np.array(frame, np.int64), table[:, :2], table[:, 2], np.array(track, np.int64))


def _read_tracks(path: Path, names: set[str]) -> list[Track] | None:
    if not path.exists():
        return None
    tracks = []
    with _rows(path, ("track_id", "file_name", "n_sightings", "best_score")) as rows:
        for line, row in rows:
            if row["file_name"] not in names:
                raise InputError(f"{path}: line {line}: no such video in images.json; the files do not belong together")
            number, seen = (_whole(row[key], path, line, key) for key in ("track_id", "n_sightings"))
            in_view = _whole(row.get("n_in_view") or row["n_sightings"], path, line, "n_in_view")
            best = _number(row["best_score"], path, line, "best_score")
            tracks.append(Track(number, row["file_name"], seen, best, in_view))
    return tracks


def _sources(frames: Frames, provenance: Mapping[str, Any], path: Path) -> tuple[list[Video], Int64]:
    said = {one["file_name"]: one for one in provenance.get("videos", [])}
    members: dict[str, list[int]] = {}
    for place in np.flatnonzero(~np.isnan(frames.time_s)).tolist():
        members.setdefault(frames.name[place], []).append(place)
    videos = []
    for name, places in members.items():
        if said and name not in said:  # whether it was read whole would be a guess
            raise InputError(f"{path}: tells nothing of {shown(name)} of images.json; the files do not belong together")
        order = np.array(places, np.int64)[np.argsort(frames.time_s[places], kind="stable")]
        facts, last_s = said.get(name, {}), float(frames.time_s[order[-1]])
        whole = facts.get("complete", True)
        duration_s = max(last_s, facts.get("duration_s") or 0.0) if whole else last_s
        videos.append(Video(name, order, duration_s, None if whole else facts.get("broke_off") or "unknown reason"))
    return videos, np.flatnonzero(np.isnan(frames.time_s))


@contextmanager
def _rows(path: Path, needed: tuple[str, ...]) -> Iterator[Iterator[tuple[int, dict[str, str]]]]:
    check_ordinary(path)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(f"{path}: the column {missing[0]} is missing; carcloc predict writes it")
            yield ((reader.line_num, row) for row in reader)
            _check_end(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a folder of carcloc predict") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: this is no CSV table ({error})") from error


def _check_end(path: Path) -> None:
    """Refuse a table that was cut off: its last line would be one with other numbers."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read() not in (b"\n", b"\r"):
            raise InputError(f"{path}: breaks off in its last line; run carcloc predict again")


def _number(text: str, path: Path, line: int, key: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{path}: line {line}: {key} must be a number, not {shown(text)}")
    return value


def _whole(text: str, path: Path, line: int, key: str) -> int:
    value = _number(text, path, line, key)
    if not (value.is_integer() and 0 <= value <= LARGEST_NUMBER):
        raise InputError(f"{path}: line {line}: {key} must be a whole number from 0 up, not {shown(text)}")
    return int(value)
