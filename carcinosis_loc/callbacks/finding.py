"""What a network finds on the training frames beyond their labels."""

from collections.abc import Iterable, Iterator

import numpy as np
from lightning.pytorch import Trainer

from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.detector import Detections
from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Peaks

_GRID = 4  # places are kept to this part of a pixel: on a flat summit, a logit's last bit can move them by thousandths


def find_beside(trainer: Trainer, module: PointModule, batches: Iterable[Batch], score: float) -> dict[int, Peaks]:
    """The peaks on these frames that lie farther than the match radius from every label, by image id.

    Args:
        trainer: whose precision the network runs in; with several processes, all get what each has found.
        module: network and decoder.
        batches: frames, not augmented.
        score: from which a peak counts.
    """
    found = []
    for _, detected in found_on(trainer, module, batches):
        for frame, peaks in zip(detected.frames, detected.peaks, strict=True):
            free = away_from_labels(peaks.above(score), frame, module.match_radius_px)
            on_grid = Peaks(np.round(free.xy * _GRID) / np.float32(_GRID), free.scores)
            found.append((frame.image_id, on_grid))
    return dict(from_all_processes(found))


def expected_objects(
    trainer: Trainer, module: PointModule, batches: Iterable[Batch], scale: ScoreScale
) -> dict[int, float]:
    """How many objects a frame's peaks are likely to be, the sum of their probabilities, by image id.

    Args:
        trainer: see ``find_beside``.
        module: network and decoder.
        batches: frames, not augmented.
        scale: from scores to probabilities.
    """
    found = [
        (frame.image_id, float(scale.probability(peaks.scores).sum()))
        for _, detected in found_on(trainer, module, batches)
        for frame, peaks in zip(detected.frames, detected.peaks, strict=True)
    ]
    return dict(from_all_processes(found))


def training_data(trainer: Trainer, asker: str) -> PointDataModule:
    """The data of a training.

    Raises:
        InputError: they are none of ours; ``asker`` is the callback that needs them.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, PointDataModule):
        raise InputError(f"{asker}: it needs a PointDataModule, whose training frames it looks at")
    return data


def found_on(trainer: Trainer, module: PointModule, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Detections]]:
    """Each batch, with what the network finds on it.

    Args:
        trainer: whose precision the network runs in.
        module: network and decoder.
        batches: frames, not augmented; this process's share.
    """
    for batch in batches:
        if batch.dummy:
            continue
        with trainer.precision_plugin.forward_context():
            detected = module.detect(batch.to(module.device))
        yield batch, detected


def away_from_labels(peaks: Peaks, frame: Frame, match_radius_px: float) -> Peaks:
    """The peaks that lie farther than the match radius (image pixels) from every label of the frame."""
    if not len(peaks) or not len(frame.points):
        return peaks
    distance = np.linalg.norm(peaks.xy[:, None] - frame.points.xy, axis=-1)
    away = distance.min(1) > match_radius_px
    return Peaks(peaks.xy[away], peaks.scores[away])
