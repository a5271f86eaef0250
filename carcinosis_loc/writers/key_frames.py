"""A few frames that stand for a video or a folder."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np

from carcinosis_loc.files import make_folder, write_bytes, write_json
from carcinosis_loc.points import Frame
from carcinosis_loc.writers.base import About, Found, PredictionWriter

MOST = 12
_FOLDER = "key_frames"


class Kept(NamedTuple):
    """A frame that may become a key frame; ``place`` is its number in the sequence."""

    place: int
    image_id: int
    name: str
    n_points: int
    total_score: float

    @property
    def worth(self) -> tuple[int, float]:
        """More points are better, then higher scores."""
        return self.n_points, self.total_score


class Spread:
    """Keeps the best frame of each stretch of a sequence whose length nobody knows.

    Stretches are of equal length, and double it when there are too many: so what is kept is spread over the whole, and
    bounded.
    """

    def __init__(self, length: int = 1, count: int = 0, kept: Mapping[int, Kept] | None = None) -> None:
        self.length = length
        self.count = count
        self.kept: dict[int, Kept] = dict(kept or {})

    def offer(self, candidate: Kept) -> bool:
        """Take the next frame of the sequence, whose place is ``count``; whether it is kept, for now."""
        stretch = self.count // self.length
        self.count += 1
        if stretch in self.kept and self.kept[stretch].worth >= candidate.worth:
            return False
        self.kept[stretch] = candidate
        if len(self.kept) > 2 * MOST:
            self._double()
        return candidate in self.kept.values()

    def best(self) -> list[Kept]:
        """At most 12, in the order of the sequence; frames without a point only where no frame has one."""
        final = Spread(self.length, self.count, self.kept)
        while len(final.kept) > MOST:
            final._double()
        chosen: list[Kept] = []
        for one in sorted(final.kept.values()):
            # the best of two stretches may lie side by side where these meet: then they look alike
            if chosen and one.place - chosen[-1].place < final.length / 2:
                chosen[-1] = max(chosen[-1], one, key=lambda kept: kept.worth)
            else:
                chosen.append(one)
        return [one for one in chosen if one.n_points] or chosen

    def _double(self) -> None:
        merged: dict[int, Kept] = {}
        for stretch in sorted(self.kept):
            one, half = self.kept[stretch], stretch // 2
            if half not in merged or one.worth > merged[half].worth:
                merged[half] = one
        self.length, self.kept = 2 * self.length, merged


class KeyFrames(PredictionWriter):
    """``key_frames/<name>.jpg``: up to 12 frames, without marks, of each video, and of all images together.

    They are spread over time, and have the most points of their stretch. ``key_frames.json`` lists them by image id.

    Args:
        while_reading: take frames as they come, since they cannot be read again; else at the end, from their files.
    """

    def __init__(self, while_reading: bool) -> None:
        super().__init__()
        self.wants_pixels = while_reading
        self._spreads: dict[str, Spread] = {}  # by video; all images go by the empty name

    def begin(self, about: About) -> None:
        """Start without any."""
        super().begin(about)
        self._candidates = make_folder(self.folder / ".candidates")

    def frame(self, found: Found) -> None:
        """Keep the frame if it is the best of its stretch so far."""
        assert self.about is not None
        name = self._name(found.frame, found.index)
        score = float(found.peaks.scores.sum(dtype=np.float64))
        spread = self._spreads.setdefault(found.frame.file_name if found.in_video else "", Spread())
        candidate = Kept(spread.count, found.frame.image_id, name, len(found.peaks), round(score, 6))
        if spread.offer(candidate):
            bgr = np.ascontiguousarray(found.image()[..., ::-1])
            _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
            write_bytes(self._candidates / f"{found.frame.image_id}.jpg", bytes(data))

    def commit(self) -> dict[str, Any]:
        """Drop the pictures of those that have been beaten."""
        wanted = {one.image_id for spread in self._spreads.values() for one in spread.kept.values()}
        for path in self._candidates.iterdir():
            if path.name.startswith(".") or int(path.stem) not in wanted:
                path.unlink()
        return {
            name: [spread.length, spread.count, [[key, *one] for key, one in spread.kept.items()]]
            for name, spread in self._spreads.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with those that were kept."""
        self._spreads = {
            name: Spread(length, count, {key: Kept(*one) for key, *one in kept})
            for name, (length, count, kept) in state.items()
        }

    def finish(self) -> None:
        """Choose, and put the chosen in their folder."""
        entries = []
        for spread in self._spreads.values():
            for one in spread.best():
                source, target = self._candidates / f"{one.image_id}.jpg", self.folder / _FOLDER / f"{one.name}.jpg"
                make_folder(target.parent)
                if source.exists():  # else it was moved before a kill
                    source.rename(target)
                entries.append({"image_id": one.image_id, "file": f"{_FOLDER}/{one.name}.jpg"})
        write_json(self.folder / "key_frames.json", entries)
        for path in self._candidates.iterdir():
            path.unlink()
        self._candidates.rmdir()

    def _name(self, frame: Frame, index: int | None) -> str:
        assert self.about is not None
        return self.about.name_of(frame) + ("" if index is None else f"_{index:06d}")
