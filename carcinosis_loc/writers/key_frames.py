"""A few frames that stand for a video or a folder."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from carcinosis_loc.files import make_folder, write_bytes, write_json
from carcinosis_loc.points import Frame
from carcinosis_loc.writers.base import About, Found, PredictionWriter
from carcinosis_loc.writers.choosing import Kept, Spread, Steadiness
from carcinosis_loc.writers.clearness import clearness

_FOLDER = "key_frames"


class KeyFrames(PredictionWriter):
    """``key_frames/<name>.jpg``: up to 12 frames, without marks, of each video, and of all images together.

    They are spread over time. Of each stretch it is the frame with the largest sum of probabilities (of scores, without
    calibration) times clearness. In a tracked video the points that stay are summed, see ``Steadiness``, and nodules
    that an earlier key frame shows weigh nothing; where no point stays, all are summed. ``key_frames.json`` lists the
    frames by image id, with their clearness.

    Args:
        while_reading: take frames as they come, since they cannot be read again; else at the end, from their files.
    """

    def __init__(self, while_reading: bool) -> None:
        super().__init__()
        self.wants_pixels = while_reading
        self._spreads: dict[str, Spread] = {}  # by video; all images go by the empty name
        self._steadiness: dict[str, Steadiness] = {}

    def begin(self, about: About) -> None:
        """Start without any."""
        super().begin(about)
        self._candidates = make_folder(self.folder / ".candidates")

    def frame(self, found: Found) -> None:
        """Keep the frame if it is the best of its stretch so far."""
        key, image = found.frame.file_name if found.in_video else "", found.image()
        spread = self._spreads.setdefault(key, Spread())
        name, clear = self._name(found.frame, found.index), clearness(image)
        stays = self._stays(key, found)
        values = clear * self._probabilities(found)
        sums = round(float(values[stays].sum()), 6), round(float(values.sum()), 6)
        tracks = () if found.track_ids is None else found.track_ids[stays].tolist()
        entry = spread.count, found.frame.image_id, name, len(found.peaks)
        candidate = Kept(*entry, *sums, round(clear, 3), tracks)
        if spread.offer(candidate):
            bgr = np.ascontiguousarray(image[..., ::-1])
            _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])
            write_bytes(self._candidates / f"{found.frame.image_id}.jpg", bytes(data))

    def commit(self) -> dict[str, Any]:
        """Drop the pictures of those that have been beaten."""
        wanted = {one.image_id for spread in self._spreads.values() for one in spread.kept.values()}
        for path in self._candidates.iterdir():
            if path.name.startswith(".") or int(path.stem) not in wanted:
                path.unlink()
        return {
            name: [
                *(spread.length, spread.count, [[key, *one] for key, one in spread.kept.items()]),
                self._steadiness[name].recent if name in self._steadiness else None,
            ]
            for name, spread in self._spreads.items()
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with those that were kept."""
        self._spreads = {
            name: Spread(length, count, {key: Kept(*one) for key, *one in kept})
            for name, (length, count, kept, *_) in state.items()
        }
        recent = {name: rest[0] for name, (_, _, _, *rest) in state.items() if rest}  # an earlier version kept none
        self._steadiness = {name: Steadiness(ids) for name, ids in recent.items() if ids is not None}

    def finish(self) -> None:
        """Choose, and put the chosen in their folder."""
        entries = []
        for spread in self._spreads.values():
            for one in spread.best():
                source, target = self._candidates / f"{one.image_id}.jpg", self.folder / _FOLDER / f"{one.name}.jpg"
                make_folder(target.parent)
                if source.exists():  # else it was moved before a kill
                    source.rename(target)
                file = f"{_FOLDER}/{one.name}.jpg"
                entries.append({"image_id": one.image_id, "file": file, "clearness": one.clearness})
        write_json(self.folder / "key_frames.json", entries)
        for path in self._candidates.iterdir():
            path.unlink()
        self._candidates.rmdir()

    def _stays(self, key: str, found: Found) -> npt.NDArray[np.bool_]:
        """``(N,)``, which points stay; all, where nobody tracks them."""
        if found.track_ids is None:
            return np.ones(len(found.peaks), bool)
        return self._steadiness.setdefault(key, Steadiness()).of(found.track_ids)

    def _probabilities(self, found: Found) -> npt.NDArray[np.float64]:
        """``(N,)``, of the points; their scores, where nothing was calibrated."""
        assert self.about is not None
        calibration, scores = self.about.calibration, np.asarray(found.peaks.scores, np.float64)
        return scores if calibration is None else calibration.scale.probability(scores)

    def _name(self, frame: Frame, index: int | None) -> str:
        assert self.about is not None
        return self.about.name_of(frame) + ("" if index is None else f"_{index:06d}")
