"""Labels on the conspicuous: what is fainter than a frame's labels is not taken for background."""

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.callbacks.finding import training_data
from carcinosis_loc.callbacks.label_chance import LabelChance
from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.offsets import MOST, ContrastOffsets, log_contrast, octaves_for
from carcinosis_loc.errors import InputError
from carcinosis_loc.module import PointModule

# Quantile of the contrast of a frame's labels: of five the second faintest, as the faintest may be a slip.
_LEVEL = 0.25


class ConspicuousFirst(Callback):
    """Tells the loss which unlabelled places say something: those that stand out as much as the frame's labels do.

    Who marks the conspicuous first has looked at what stands out from its surroundings, and what stands out as much as
    the marked and is not marked is none: fat, a highlight, an instrument. What is fainter was not reached, and says
    nothing. So an object's chance of a label is taken to be ``sigmoid(power * (log S - level))``, between ``least`` and
    0.9, where ``S`` is a place's contrast (``log_contrast``) and ``level`` that of its frame's second faintest label,
    and the loss sees ``z + logit(chance)`` in place of the logits ``z``. The network then has to know objects from
    what is none where labels can tell, and is left to itself with what is faint. Evaluation and prediction know nothing
    of it. Scores are far from probabilities, as faint places are hardly ever pushed down; the threshold is calibrated.

    A frame without labels has the median level; exhaustive ones have the chance 0.9 everywhere. Places that a
    ``Teacher`` has added or left out make up for the labels that lack: from its first round on there is no offset.

    Positives that are labelled by a chance that hangs on what they look like: Bekker, Robberechts and Davis 2019 (arXiv
    1809.03207). Contrast within the frame as what the chance hangs on, and its use as an offset, are ours.

    Assumes that the conspicuous were marked first. Objects are to be about as large as the match radius.

    Args:
        power: how steeply the chance rises with the contrast, above 0.
        least: chance of a label of the faintest, between 0 and 0.9.

    Raises:
        InputError: an argument outside its range; at the start of ``fit``, together with ``LabelChance``, whose
            assumption is another.
    """

    def __init__(self, power: float = 4.0, least: float = 0.05) -> None:
        if not 0 < power < 100 or not 0 < least < MOST:
            raise InputError(f"ConspicuousFirst: 0 < power < 100 and 0 < least < 0.9 must hold, not {power}, {least}")
        self.power, self.least = power, least

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what contradicts it."""
        if any(isinstance(other, LabelChance) for other in trainer.callbacks):  # type: ignore[attr-defined]
            raise InputError("ConspicuousFirst: labels are either on the conspicuous or at random; drop LabelChance")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the labels of all training frames."""
        assert isinstance(pl_module, PointModule)
        data = training_data(trainer, "ConspicuousFirst")
        octaves = octaves_for(pl_module.match_radius_px)
        levels = _levels(data, octaves)
        data.teach(offset=ContrastOffsets(levels, octaves, self.power, self.least))
        pl_module.print(f"conspicuous first: labels on {len(levels)} frames looked at")


def _levels(data: PointDataModule, octaves: int) -> dict[int, float]:
    found = [
        pair for batch in data.unaugmented_train_batches() if not batch.dummy for pair in _of_batch(batch, octaves)
    ]
    levels = dict(from_all_processes(found))
    labelled = [level for level in levels.values() if level is not None]
    usual = float(np.median(labelled)) if labelled else 0.0
    return {image_id: usual if level is None else level for image_id, level in levels.items()}


def _of_batch(batch: Batch, octaves: int) -> list[tuple[int, float | None]]:
    levels = []
    for rgb, frame, box in zip(batch.image.permute(0, 2, 3, 1).numpy(), batch.frames, batch.letterboxes, strict=True):
        contrast = log_contrast(rgb, octaves)
        cell = np.floor(box.to_network(frame.points.xy) + 1 / 2).astype(int)
        x, y = np.clip(cell, 0, [contrast.shape[1] - 1, contrast.shape[0] - 1]).T
        levels.append((frame.image_id, float(np.quantile(contrast[y, x], _LEVEL)) if len(x) else None))
    return levels
