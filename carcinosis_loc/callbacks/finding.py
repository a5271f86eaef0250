"""What a network finds on the training frames beyond their labels."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
from lightning.pytorch import Trainer

from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.data import Additions, PointDataModule
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Peaks

_GRID = 4  # places are kept to this part of a pixel: on a flat summit, a logit's last bit can move them by thousandths


def find_additions(
    trainer: Trainer, module: PointModule, batches: Iterable[Batch], sure: float, doubt: float
) -> dict[int, Additions]:
    """The peaks on these frames that lie farther than the match radius from every label, by image id.

    Args:
        trainer: whose precision the network runs in; with several processes, all get what each has found.
        module: network and decoder.
        batches: frames, not augmented.
        sure: score from which a peak is sure; infinity makes none.
        doubt: score from which it is unsure; what scores less is passed over.
    """
    found = []
    for frame, peaks in _found_on(trainer, module, batches):
        free = peaks.above(doubt)
        away = _away_from_labels(free, frame, module.match_radius_px)
        xy, scores = np.round(free.xy[away] * _GRID) / np.float32(_GRID), free.scores[away]
        found.append((frame.image_id, Additions(xy[scores >= sure], xy[scores < sure])))
    return dict(from_all_processes(found))


def expected_objects(
    trainer: Trainer, module: PointModule, batches: Iterable[Batch], scale: ScoreScale
) -> dict[int, float]:
    """How many objects a frame's peaks are likely to be, the sum of their probabilities, by image id.

    Args:
        trainer: see ``find_additions``.
        module: network and decoder.
        batches: frames, not augmented.
        scale: from scores to probabilities.
    """
    found = [
        (frame.image_id, float(scale.probability(peaks.scores).sum()))
        for frame, peaks in _found_on(trainer, module, batches)
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


def count_places(found: Mapping[int, Additions]) -> tuple[int, int]:
    """How many places are sure, and how many are not."""
    return sum(len(known.sure) for known in found.values()), sum(len(known.unsure) for known in found.values())


def told(found: Mapping[int, Additions]) -> str:
    """The same in words, a frame."""
    n_sure, n_unsure = (count / max(1, len(found)) for count in count_places(found))
    return f"{n_sure:.1f} points a frame added, {n_unsure:.1f} left out of the loss"


def _found_on(trainer: Trainer, module: PointModule, batches: Iterable[Batch]) -> Iterator[tuple[Frame, Peaks]]:
    for batch in batches:
        if batch.dummy:
            continue
        with trainer.precision_plugin.forward_context():
            detected = module.detect(batch.to(module.device))
        yield from zip(detected.frames, detected.peaks, strict=True)


def _away_from_labels(peaks: Peaks, frame: Frame, match_radius_px: float) -> npt.NDArray[np.bool_]:
    if not len(peaks) or not len(frame.points):
        return np.ones(len(peaks), np.bool_)
    distance = np.linalg.norm(peaks.xy[:, None] - frame.points.xy, axis=-1)
    return np.asarray(distance.min(1) > match_radius_px)
