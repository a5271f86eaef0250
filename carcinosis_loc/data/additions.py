"""What a teacher knows of a frame beyond its labels, brought to the window that a batch shows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.points import Float32

_REACH = 1.3  # match radii that are left out of the loss around a doubtful peak
_FINE = 4  # binary digits of a pixel's fraction, for drawing


@dataclass(frozen=True, eq=False)
class Additions:
    """Unlabelled places of a frame, image pixels.

    Attributes:
        sure: ``(N, 2)``, float32; taken for objects.
        unsure: ``(M, 2)``, float32; left out of the loss.
    """

    sure: Float32
    unsure: Float32

    def tensors(self) -> list[Tensor]:
        """As a checkpoint holds them."""
        return [torch.from_numpy(np.array(self.sure)), torch.from_numpy(np.array(self.unsure))]


def with_additions(batch: Batch, additions: Mapping[int, Additions], match_radius_px: float) -> Batch:
    """A batch on which sure places are labelled, and the surroundings of the unsure are not valid.

    What people labelled has the last word: a sure place within the match radius of a label (or of a label's copy) is
    dropped, and an unsure one does not reach into a label's own disc. Exhaustive frames stay as they are.

    Args:
        batch: on the CPU, augmented; it is not changed.
        additions: by image id.
        match_radius_px: image pixels.
    """
    valid = batch.valid.clone()
    points = []
    for row, frame in enumerate(batch.frames):
        labels = batch.points[row][batch.labelled[row]].numpy()
        known = additions.get(frame.image_id)
        if known is not None and not frame.exhaustive:
            unit = np.array([[0, 0], [1, 0]], np.float32)
            radius_px = match_radius_px * float(np.linalg.norm(np.diff(_on_window(batch, row, unit), axis=0)))
            sure = _kept(_on_window(batch, row, known.sure), labels, batch.valid[row, 0], radius_px)
            labels = np.concatenate([labels, sure])
            _leave_out(valid[row, 0], _on_window(batch, row, known.unsure), labels, radius_px)
        points.append(labels)
    padded = np.zeros((len(points), max(map(len, points), default=0), 2), np.float32)
    labelled = np.zeros(padded.shape[:2], np.bool_)
    for row, xy in enumerate(points):
        padded[row, : len(xy)] = xy
        labelled[row, : len(xy)] = True
    return replace(batch, valid=valid, points=torch.from_numpy(padded), labelled=torch.from_numpy(labelled))


def _on_window(batch: Batch, row: int, xy: Float32) -> Float32:
    on_network = batch.letterboxes[row].to_network(xy)
    return np.asarray(batch.views[row].to_window(on_network), np.float32) if batch.views else on_network


def _kept(xy: Float32, labels: Float32, valid: Tensor, radius_px: float) -> Float32:
    """Those on valid pixels and away from every label."""
    cell = np.floor(xy + 0.5).astype(int)
    inside = ((cell >= 0) & (cell < np.array([valid.shape[1], valid.shape[0]]))).all(1)
    xy, cell = xy[inside], cell[inside]
    free = valid.numpy()[cell[:, 1], cell[:, 0]]
    if len(labels):
        free = free & (np.linalg.norm(xy[:, None] - labels, axis=-1).min(1) > radius_px)
    return np.asarray(xy[free], np.float32)


def _leave_out(valid: Tensor, unsure: Float32, labels: Float32, radius_px: float) -> None:
    """Clear discs around the unsure, but for what was valid around labels. In place."""
    hidden, own = np.zeros((2, *valid.shape), np.uint8)
    _draw(hidden, unsure, _REACH * radius_px)
    _draw(own, labels, radius_px)
    valid &= torch.from_numpy((hidden == 0) | (own != 0))


def _draw(mask: npt.NDArray[np.uint8], xy: Float32, radius_px: float) -> None:
    for x, y in np.round(xy * 2**_FINE).astype(int).tolist():
        cv2.circle(mask, (x, y), round(radius_px * 2**_FINE), 1, -1, shift=_FINE)
