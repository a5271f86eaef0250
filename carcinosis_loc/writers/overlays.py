"""Frames with their points: pictures of images, and videos of videos."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.data.dataset import Rgb
from carcinosis_loc.drawing import View, caption, overlay, png, unjudged, view_of
from carcinosis_loc.files import make_folder, write_bytes
from carcinosis_loc.points import Size
from carcinosis_loc.video import Mp4Segment, join_segments
from carcinosis_loc.writers.base import Found, PredictionWriter

OVERLAYS = "overlays"
_MOST_SIDE_PX = 1920  # of a video: more does not fit a screen


class OverlayPictures(PredictionWriter):
    """``overlays/<name>.png``: each image with its peaks, sized by score, and a line below that tells their number."""

    wants_pixels = True

    def frame(self, found: Found) -> None:
        """Draw and write an image; a video's frame is none."""
        if not found.in_video:
            assert self.about is not None
            picture = overlay(found.image(), unjudged(found.peaks))
            picture = np.concatenate([picture, caption(_words(found), picture.shape[1])])
            write_bytes(self.folder / OVERLAYS / f"{self.about.name_of(found.frame)}.png", png(picture))


class OverlayVideos(PredictionWriter):
    """``overlays/<name>.mp4``: the frames of a video that were looked at, each shown at its own time, with their peaks.

    H.264, as browsers play it; no sound, no metadata. The first frame sets the size: where a later one has another
    size, it is fitted into it on black. A line below tells the time and how many points are shown.
    """

    wants_pixels = True

    def __init__(self) -> None:
        super().__init__()
        self._segments: dict[str, int] = {}  # how many are complete, by the video's name
        self._size: Size | None = None
        self._last = -1
        self._name = ""
        self._open: Mp4Segment | None = None

    def frame(self, found: Found) -> None:
        """Draw a frame of a video and encode it; an image is none."""
        if not found.in_video:
            return
        assert self.about is not None
        assert found.time_s is not None
        name = self.about.name_of(found.frame)
        if name != self._name:
            self.commit()
            self._name, self._size, self._last = name, None, -1
        picture = self._draw(found)
        if self._open is None:
            number = self._segments.get(name, 0) + 1
            size = (picture.shape[0], picture.shape[1])
            self._open = Mp4Segment(self._folder_of(name) / f"{number:06d}.mp4", size, self._last)
        self._open.add(picture, found.time_s)

    def commit(self) -> dict[str, Any]:
        """End the segment."""
        if self._open is not None:
            self._open.close()
            self._last, self._open = self._open.last, None
            self._segments[self._name] = self._segments.get(self._name, 0) + 1
        return {"segments": self._segments, "size": self._size, "last": self._last, "name": self._name}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on with the next segment."""
        self._segments, self._last, self._name = dict(state["segments"]), state["last"], state["name"]
        self._size = None if state["size"] is None else (state["size"][0], state["size"][1])

    def finish(self) -> None:
        """Join the segments of each video; one that is there already was joined before a kill."""
        self.commit()
        for name, count in self._segments.items():
            target = self.folder / OVERLAYS / f"{name}.mp4"
            if not target.exists():
                segments = [self._folder_of(name) / f"{number:06d}.mp4" for number in range(1, count + 1)]
                make_folder(target.parent)
                join_segments(segments, target)
            shutil.rmtree(self._folder_of(name), ignore_errors=True)
        shutil.rmtree(self.folder / ".segments", ignore_errors=True)

    def _folder_of(self, name: str) -> Path:
        return self.folder / ".segments" / name

    def _draw(self, found: Found) -> Rgb:
        if self._size is None:
            shown = view_of(found.frame.size, _MOST_SIDE_PX).resized
            self._size = (max(2, shown[0] - shown[0] % 2), max(2, shown[1] - shown[1] % 2))
        view = View.fit(found.frame.size, self._size)
        flush = View(view.source, view.resized, view.resized)
        line = caption(_words(found), self._size[1])
        picture = np.zeros((self._size[0] + len(line), self._size[1], 3), np.uint8)
        (left, top), (height, width) = view.offset, view.resized
        picture[top : top + height, left : left + width] = overlay(found.image(), unjudged(found.peaks), view=flush)
        picture[self._size[0] :] = line
        return picture


def _words(found: Found) -> str:
    words = f"points {len(found.peaks)}   research use only"
    if found.time_s is None:
        return words
    minutes, seconds = divmod(found.time_s, 60)
    return f"{int(minutes)}:{seconds:05.2f}   {words}"
