"""Points as COCO keypoint results."""

import json
from typing import IO, Any

from carcinosis_loc.writers.base import About, Found, PredictionWriter

CATEGORY: dict[str, Any] = {"id": 1, "name": "point", "keypoints": ["center"], "skeleton": []}


class CocoResults(PredictionWriter):
    """``predictions.json``, results one a point; ``images.json``, the images that their ids refer to.

    ``COCO("images.json").loadRes("predictions.json")`` reads them. (pycocotools fails on an empty list of results, if
    there is no point at all.) Where the checkpoint is calibrated a result has the ``probability`` that it is an object
    beside the network's ``score``; in a video a ``track_id``.
    """

    def begin(self, about: About) -> None:
        """Open both files."""
        super().begin(about)
        self._results = _Entries(self.folder / "predictions.json", "[", "]\n")
        tail = f'], "annotations": [], "categories": {json.dumps([CATEGORY])}}}\n'
        self._images = _Entries(self.folder / "images.json", '{"images": [', tail)

    def frame(self, found: Found) -> None:
        """One image, and its points best first."""
        frame = found.frame
        entry = {"id": frame.image_id, "file_name": frame.file_name, "width": frame.size[1], "height": frame.size[0]}
        if found.in_video:
            entry |= {"frame": found.index, "time_s": found.time_s}
        self._images.add(entry)
        assert self.about is not None
        for x, y, score, track_id in found.rows():
            result = {"image_id": frame.image_id, "category_id": CATEGORY["id"], "keypoints": [x, y, 2], "score": score}
            if self.about.calibration is not None:
                result["probability"] = round(float(self.about.calibration.scale.probability(score)), 4)
            if track_id is not None:
                result["track_id"] = track_id
            self._results.add(result)

    def finish(self) -> None:
        """Close both files."""
        self._results.close()
        self._images.close()


class _Entries:
    """A JSON list that is written entry by entry: it may be longer than memory."""

    def __init__(self, path: Any, head: str, tail: str) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8")
        self._tail, self._any = tail, False
        self._file.write(head)

    def add(self, entry: dict[str, Any]) -> None:
        self._file.write((",\n" if self._any else "") + json.dumps(entry, allow_nan=False))
        self._any = True

    def close(self) -> None:
        self._file.write(self._tail)
        self._file.close()
