"""Labels on the conspicuous: what is fainter than a frame's labels is not taken for background."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from lightning.pytorch import LightningModule, Trainer
from scipy.optimize import minimize

from carcinosis_loc.callbacks.after_validation import AfterValidation
from carcinosis_loc.callbacks.finding import away_from_labels, found_on, training_data
from carcinosis_loc.callbacks.label_chance import LabelChance
from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.offsets import MOST, ContrastOffsets, log_contrast, octaves_for
from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics import calibrate
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Float32, Letterbox

# Quantile of the contrast of a frame's labels: of five the second faintest, as the faintest may be a slip.
_LEVEL = 0.25
_LOOKED_AT = 120  # training frames, at most, for an estimate: some 600 labels tell the slope to 0.1
_FEWEST = 100  # objects found on them beside the labels that an estimate needs
_FEWEST_LABELS = 50
_MOST_A_LABEL = 20  # where more seem to be objects for each label, early on, it is the background that was found
_TOO_SMALL = 2.0  # a network finds the more conspicuous of the unlabelled first, so the slope is more than it seems
_NOTHING = 0.5  # a power below is none: few labels give it by chance
_RIDGE = 1e-3  # holds the slope where contrast parts labels from the rest without a fault


class ConspicuousFirst(AfterValidation):
    """Tells the loss which unlabelled places say something: those that stand out as much as the frame's labels do.

    Who marks the conspicuous first has looked at what stands out from its surroundings, and what stands out as much as
    the marked and is not marked is none: fat, a highlight, an instrument. What is fainter was not reached, and says
    nothing. So an object's chance of a label is taken to be ``sigmoid(power * (log S - level))``, between ``least`` and
    0.9, where ``S`` is a place's contrast (``log_contrast``) and ``level`` that of its frame's second faintest label,
    and the loss sees ``z + logit(chance) - logit(0.9)`` in place of the logits ``z``. The network then has to know
    objects from what is none where labels can tell, and is left to itself with what is faint. Evaluation and prediction
    know nothing of it. Scores are far from probabilities, as faint places are hardly ever pushed down; the threshold is
    calibrated.

    What annotators go by may be another thing than contrast, size perhaps; unlabelled objects stand out as much as the
    labelled then, and to take faint places for unknown would only teach that all is an object. So the power is
    estimated: after each validation, how the odds of a label rise with contrast among labels and what the network finds
    beside them (from a probability of 1/2 up), by a logistic regression. It finds the conspicuous first, so twice the
    slope is taken, up to ``power``; below 1/2 contrast tells nothing, and there is no offset. Until 50 labels and 100
    objects beside them are found it is ``power``.

    A frame without labels has the median level; exhaustive ones have the chance 0.9 everywhere, so no offset. (With
    offsets above 0 the background of exhaustive frames outweighs the labels at first, and where a quarter of all frames
    is exhaustive a network finds nothing for long.) Places that a ``Teacher`` has added or left out make up for the
    labels that lack: from its first round on there is no offset.

    Positives that are labelled by a chance that hangs on what they look like: Bekker, Robberechts and Davis 2019 (arXiv
    1809.03207), who estimate both in turn, too. Contrast within the frame as what the chance hangs on, and its use as
    an offset, are ours.

    Assumes that whoever marked some objects went by what stands out, or by what has nothing to do with it. Objects are
    to be about as large as the match radius.

    Args:
        power: how steeply the chance rises with the contrast at most, above 0.
        least: chance of a label of the faintest, between 0 and 0.9.

    Raises:
        InputError: an argument outside its range; at the start of ``fit``, if there is no validation set, or together
            with ``LabelChance``, whose assumption is another.
    """

    def __init__(self, power: float = 4.0, least: float = 0.05) -> None:
        if not 0 < power < 100 or not 0 < least < MOST:
            raise InputError(f"ConspicuousFirst: 0 < power < 100 and 0 < least < 0.9 must hold, not {power}, {least}")
        self.power, self.least = power, least
        self.estimated = power
        self._waits = False
        self._octaves = 1
        self._levels: dict[int, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what contradicts it."""
        if any(isinstance(other, LabelChance) for other in trainer.callbacks):  # type: ignore[attr-defined]
            raise InputError("ConspicuousFirst: labels are either on the conspicuous or at random; drop LabelChance")
        if training_data(trainer, "ConspicuousFirst").val_json is None:
            raise InputError("ConspicuousFirst: it is calibrated on validation frames; give --data.val_json")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the labels of all training frames."""
        assert isinstance(pl_module, PointModule)
        data = training_data(trainer, "ConspicuousFirst")
        self._octaves = _octaves(data, pl_module.match_radius_px)
        self._levels = _levels(data, self._octaves)
        pl_module.print(f"conspicuous first: labels on {len(self._levels)} frames looked at")
        self._hand_over(trainer)

    def after_validation(self, trainer: Trainer, module: PointModule) -> None:
        """Estimate the power, until a teacher has taken over."""
        if training_data(trainer, "ConspicuousFirst").taught.additions:
            return
        known = module.labels_at_random
        calibration = calibrate(module.point_f1, module.sparse, labels_first=False, draws=0, labels_at_random=known)
        if calibration is None:
            return self._wait(module, "no threshold is supported yet")
        labels, found = self._excess(trainer, module, calibration.scale.score_at(1 / 2))
        counts = f"{len(labels)} labels and {len(found)} objects beside them"
        if len(labels) < _FEWEST_LABELS or not _FEWEST <= len(found) <= _MOST_A_LABEL * len(labels):
            return self._wait(module, f"{counts} tell nothing yet")
        slope, self._waits = label_slope(labels, found), False
        power = min(_TOO_SMALL * slope, self.power)
        self.estimated = power if power >= _NOTHING else 0.0
        module.print(
            f"conspicuous first: {counts} differ in contrast by the power {slope:.1f}; {self.estimated:.1f} is taken"
        )
        self._hand_over(trainer)

    def _wait(self, module: PointModule, why: str) -> None:
        if not self._waits:
            module.print(f"conspicuous first: {why}; the power stays {self.estimated:.1f}")
        self._waits = True

    def _excess(self, trainer: Trainer, module: PointModule, score: float) -> tuple[Float32, Float32]:
        """The log contrast of labels, and of peaks from a score up beside them, less its frame's level."""
        batches = training_data(trainer, "ConspicuousFirst").unaugmented_train_batches(_LOOKED_AT)
        found = []
        for batch, detected in found_on(trainer, module, batches):
            for frame, peaks, contrast_at in zip(
                detected.frames, detected.peaks, _contrasts(batch, self._octaves), strict=True
            ):
                beside = away_from_labels(peaks.above(score), frame, module.match_radius_px)
                level = self._levels[frame.image_id]
                found.append([(contrast_at(xy) - level).tolist() for xy in (frame.points.xy, beside.xy)])
        pairs = from_all_processes(found)
        labels, others = (np.array([x for pair in pairs for x in pair[k]], np.float32) for k in range(2))
        return labels, others

    def _hand_over(self, trainer: Trainer) -> None:
        offsets = ContrastOffsets(self._levels, self._octaves, self.estimated, self.least) if self.estimated else None
        training_data(trainer, "ConspicuousFirst").teach(offset=offsets)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, as plain values."""
        return {"estimated": self.estimated}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take ``state_dict`` over."""
        self.estimated = min(self.power, state_dict["estimated"])


def label_slope(labels: Float32, found: Float32) -> float:
    """How fast the log odds of a label rise with a feature, by a logistic regression.

    Args:
        labels: the feature of objects that have one.
        found: the feature of those that have none.
    """
    x = np.concatenate([labels, found]).astype(np.float64)
    y = np.repeat([1.0, 0.0], [len(labels), len(found)])

    def cost(line: npt.NDArray[np.float64]) -> float:
        z = line[0] * x + line[1]
        return float(np.sum(np.logaddexp(0, z) - y * z) + _RIDGE * line[0] ** 2)

    return float(minimize(cost, np.zeros(2)).x[0])


def _octaves(data: PointDataModule, match_radius_px: float) -> int:
    """As many as objects have in the images that the network sees, which may have been shrunk; by the median frame."""
    boxes = [Letterbox.fit(frame.size, data.image_size) for frame in data.frames["train"]]
    return octaves_for(match_radius_px * float(np.median([box.resized[0] / box.source[0] for box in boxes])))


def _levels(data: PointDataModule, octaves: int) -> dict[int, float]:
    found = [
        (frame.image_id, float(np.quantile(contrast_at(frame.points.xy), _LEVEL)) if len(frame.points) else None)
        for batch in data.unaugmented_train_batches()
        if not batch.dummy
        for frame, contrast_at in zip(batch.frames, _contrasts(batch, octaves), strict=True)
    ]
    levels = dict(from_all_processes(found))
    labelled = [level for level in levels.values() if level is not None]
    usual = float(np.median(labelled)) if labelled else 0.0
    return {image_id: usual if level is None else level for image_id, level in levels.items()}


def _contrasts(batch: Batch, octaves: int) -> Iterator[Callable[[Float32], Float32]]:
    """For each frame, what gives the log contrast at places in its image's pixels."""
    for rgb, box in zip(batch.image.permute(0, 2, 3, 1).numpy(), batch.letterboxes, strict=True):
        yield partial(_at, log_contrast(rgb, octaves), box)


def _at(contrast: Float32, box: Letterbox, xy: Float32) -> Float32:
    cell = np.floor(box.to_network(xy) + 1 / 2).astype(int)
    x, y = np.clip(cell, 0, [contrast.shape[1] - 1, contrast.shape[0] - 1]).T
    return np.asarray(contrast[y, x])
