"""Frames to samples: decoded, brought to the network's size, augmented where asked."""

import errno
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset

from carcinosis_loc.annotations.images import read_image
from carcinosis_loc.data.coverage import VALID, coverage_map
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.data.view import View
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Float32, Frame, Letterbox, Size

Rgb = npt.NDArray[np.uint8]

_log = logging.getLogger(__name__)

PATIENCE_S = 300.0  # longer than a network share takes to come back, shorter than other processes wait
_SHARE_IS_AWAY = {errno.ESTALE, errno.EIO, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT}

DUMMY = -1  # the index of the sample that only keeps a process busy


@dataclass(frozen=True, eq=False)
class Sample:
    """One frame as the network sees it.

    Attributes:
        image: ``(H, W, 3)``, uint8, RGB, black on padding.
        valid: ``(H, W)``, bool; False on padding and on ignore regions.
        xy: labelled points ``(N, 2)``, float32, pixels of ``image``.
        frame: the frame; its points are in image pixels.
        letterbox: the map between image and network pixels.
        view: the window of the letterboxed frame that this is; None where the sample was not augmented.
        dummy: True for a black sample that counts nowhere.
    """

    image: Rgb
    valid: npt.NDArray[np.bool_]
    xy: Float32
    frame: Frame
    letterbox: Letterbox
    view: View | None = None
    dummy: bool = False


class PointDataset(Dataset[Sample]):
    """Frames with their labelled points.

    Decoded frames (at the network's size) are kept until ``cache_mb`` is full; then the rest is decoded anew each
    time. Each data-loading worker has its own store.

    Args:
        frames: what there is.
        transform: augments every sample; None for evaluation.
        image_size: ``(height, width)`` that frames are letterboxed to; None keeps the native size.
        cache_mb: memory for decoded frames, megabytes a process.
        patience_s: how long to wait for an image that is gone, seconds.

    Raises:
        InputError: on access, if an image cannot be decoded or has changed its size.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        transform: TrainTransform | None = None,
        image_size: Size | None = None,
        cache_mb: float = 1024,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.patience_s = patience_s
        self.frames = list(frames)
        self.transform = transform
        self.image_size = image_size
        self._cache: dict[int, Rgb] = {}
        self._free_bytes = int(cache_mb * 1e6)

    def __len__(self) -> int:
        return len(self.frames)

    def network_size(self, index: int) -> Size:
        """Size that frame ``index`` has before any augmentation, network pixels."""
        return self.image_size or self.frames[index].size

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """Sample of a frame: by index, or by ``(index, seed)`` where it is augmented."""
        index, seed = key if isinstance(key, tuple) else (key, 0)
        if index == DUMMY:
            return self._dummy()
        frame = self.frames[index]
        letterbox = Letterbox.fit(frame.size, self.image_size)
        image = self._image(index, letterbox)
        coverage = coverage_map(letterbox, frame.ignore)
        xy = letterbox.to_network(frame.points.xy)
        if self.transform is None:
            return Sample(image, coverage == VALID, xy, frame, letterbox)
        seen = self.transform(image, xy, coverage, seed)
        return Sample(seen.image, seen.coverage == VALID, seen.xy, frame, letterbox, seen.view)

    def _image(self, index: int, letterbox: Letterbox) -> Rgb:
        kept = self._cache.get(index)
        if kept is not None:
            return kept
        image = letterbox_image(read_frame(self.frames[index], self.patience_s), letterbox)
        if image.nbytes <= self._free_bytes:
            self._cache[index] = image
            self._free_bytes -= image.nbytes
        return image

    def _dummy(self) -> Sample:
        size = self.network_size(0)
        frame = Frame(image_id=-1, file_name="", path=Path(), size=size, exhaustive=False)
        image, valid = np.zeros((*size, 3), np.uint8), np.zeros(size, np.bool_)
        return Sample(image, valid, frame.points.xy, frame, Letterbox.fit(size, None), dummy=True)


def read_frame(frame: Frame, patience_s: float = PATIENCE_S) -> Rgb:
    """Pixels ``(height, width, 3)`` of a frame, uint8, RGB; they must have the size that the frame says.

    All images were there when the run began. One that is gone is waited for: network shares come back.

    Args:
        frame: which.
        patience_s: how long to wait for a file that is gone, seconds.

    Raises:
        InputError: it stays away, cannot be decoded, or has another size.
    """
    image = _patiently_read(frame.path, patience_s)
    if image.shape[:2] != frame.size:
        raise InputError(
            f"{frame.path}: image id {frame.image_id} has {image.shape[1]} x {image.shape[0]} pixels and not "
            f"{frame.size[1]} x {frame.size[0]}, as it had before; was the file changed?"
        )
    return image


def _patiently_read(path: Path, patience_s: float) -> Rgb:
    began, pause_s = time.monotonic(), 0.2
    while True:
        try:
            return read_image(path)
        except InputError as error:
            waited_s = time.monotonic() - began
            if not _is_gone(path, error):
                raise
            if waited_s >= patience_s:
                raise InputError(f"{path}: was there when the run began, and is gone for {waited_s:.0f} s") from error
        if pause_s == 0.2:
            _log.warning("%s: is gone; waiting up to %.0f s for it to come back", path, patience_s)
        time.sleep(min(pause_s, patience_s))
        pause_s = min(2 * pause_s, 5.0)


def _is_gone(path: Path, error: InputError) -> bool:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in _SHARE_IS_AWAY:
        return True
    try:
        return not path.exists()
    except OSError:
        return True


def letterbox_image(image: Rgb, letterbox: Letterbox) -> Rgb:
    """Resize ``image`` (area means to shrink, linear to enlarge) and put it on a black canvas."""
    if letterbox.resized != letterbox.source:
        shrink = letterbox.resized[0] <= letterbox.source[0] and letterbox.resized[1] <= letterbox.source[1]
        interpolation = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, letterbox.resized[::-1], interpolation=interpolation), np.uint8)
    if letterbox.canvas == letterbox.resized:
        return image
    canvas = np.zeros((*letterbox.canvas, 3), np.uint8)
    (left, top), (height, width) = letterbox.offset, letterbox.resized
    canvas[top : top + height, left : left + width] = image
    return canvas
