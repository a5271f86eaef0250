"""What an unfinished ``predict`` on video has done so far, chunk by chunk, so that it can go on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder, write_json, write_text
from carcinosis_loc.points import Frame, Peaks
from carcinosis_loc.video import Outcome
from carcinosis_loc.writers.base import Found, VideoEnd

FOLDER = ".journal"


class Journal:
    """Chunks of frames with their points, in a folder; only the newest state is kept.

    A chunk counts from the moment at which its state stands: that is written last. What a killed run left after the
    newest state is removed.

    Args:
        folder: of the unfinished predictions; the journal lies in ``.journal`` in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = make_folder(folder / FOLDER)
        states = sorted(self._folder.glob("[0-9]*.state.json"))
        self._chunks = int(states[-1].name.split(".")[0]) if states else 0
        for path in self._folder.iterdir():
            number = path.name.split(".")[0]
            stale = number.isdigit() and (int(number) > self._chunks or path in states[:-1])
            if stale or path.name.startswith("."):
                path.unlink()

    @property
    def identity(self) -> dict[str, Any] | None:
        """What the unfinished run was told to do; None where nothing was begun."""
        path = self._folder / "identity.json"
        return _read(path) if path.is_file() else None

    @property
    def state(self) -> dict[str, Any] | None:
        """What the newest chunk left; None before the first."""
        return _read(self._path(self._chunks, "state")) if self._chunks else None

    def begin(self, identity: Mapping[str, Any]) -> None:
        """Start anew."""
        for path in self._folder.iterdir():
            path.unlink()
        self._chunks = 0
        write_json(self._folder / "identity.json", identity)

    def commit(self, found: Sequence[Found], ended: Sequence[VideoEnd], state: Mapping[str, Any]) -> None:
        """Add a chunk."""
        number = self._chunks + 1
        lines = (json.dumps(_plain(one), allow_nan=False) + "\n" for one in found)
        write_text(self._path(number, "frames"), "".join(lines))
        write_json(self._path(number, "ended"), [[asdict(e.outcome), e.tracks, list(e.same.items())] for e in ended])
        write_json(self._path(number, "state"), state)
        self._path(self._chunks, "state").unlink(missing_ok=True)
        self._chunks = number

    def ended(self) -> list[VideoEnd]:
        """The videos that are over."""
        return [end for number in range(1, self._chunks + 1) for end in self._ended(number)]

    def replay(self) -> Iterator[Found | VideoEnd]:
        """All frames in their order, and each video's end after its frames; tracks that were joined have one id."""
        same = {end.outcome.file_name: end.same for end in self.ended() if end.same}
        n_frames = 0
        for number in range(1, self._chunks + 1):
            path = self._path(number, "frames")
            with undamaged(path):
                lines = path.read_text("utf-8").splitlines()
            for line in lines:
                with undamaged(path):
                    found = _found(json.loads(line), same)
                n_frames += 1
                yield found
            yield from self._ended(number)
        if self.state is not None and self.state["n_frames"] != n_frames:
            raise _damaged(self._folder)

    def _ended(self, number: int) -> Iterator[VideoEnd]:
        path = self._path(number, "ended")
        with undamaged(path):
            ends = [
                VideoEnd(Outcome(**outcome), tuple(map(tuple, tracks)), dict(same))
                for outcome, tracks, same in json.loads(path.read_text("utf-8"))
            ]
        yield from ends

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"{number:06d}.{kind}.json"


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path}: damaged or missing, in a run that was cut short; begin anew with --predictions.unfinished drop"
    )


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """What is damaged of an unfinished run is said in one line, by the path of the part."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path) from error


def _read(path: Path) -> dict[str, Any]:
    with undamaged(path):
        value = json.loads(path.read_text("utf-8"))
        if not isinstance(value, dict):
            raise TypeError
        return value


def _plain(found: Found) -> dict[str, Any]:
    frame = found.frame
    return {
        "image": [frame.image_id, frame.file_name, *frame.size],
        "moment": [found.index, found.time_s] if found.in_video else None,
        "points": list(found.rows()),
    }


def _found(plain: Mapping[str, Any], same: Mapping[str, Mapping[int, int]]) -> Found:
    image_id, file_name, height, width = plain["image"]
    moment, points = plain["moment"], plain["points"]
    extra = {} if moment is None else {"frame": moment[0], "time_s": moment[1]}
    peaks = Peaks(np.array([row[:2] for row in points], np.float32), np.array([row[2] for row in points], np.float32))
    ids = None
    if any(row[3] is not None for row in points):
        settled = same.get(file_name, {})
        ids = np.array([settled.get(row[3], row[3]) for row in points], np.int64)
    frame = Frame(image_id, file_name, Path(), (height, width), extra=extra)
    return Found(frame, peaks, moment is not None, ids)
