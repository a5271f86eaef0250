"""An object's chance of a label differs from frame to frame: an offset of the frame's logits takes that out."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from scipy.special import logit

from carcinosis_loc.callbacks.after_validation import AfterValidation
from carcinosis_loc.callbacks.finding import expected_objects, training_data
from carcinosis_loc.callbacks.rounds import rounds_due
from carcinosis_loc.data.offsets import MOST, FrameOffsets
from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics import calibrate
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame

_HALF = 0.5  # object that every frame is taken to have labelled, and unlabelled


class LabelChance(AfterValidation):
    """Takes out of the scores that labels are rarer among many objects, by an offset for each training frame.

    Annotators mark about as many points on a crowded frame as on a sparse one. Of ``n`` objects ``k`` are labelled, so
    an object's chance of a label is ``k / n``, which differs from frame to frame, and a network that is to foretell
    labels learns that: where there is much, all scores are low, nodules' and wet spots' alike. No threshold suits both
    frames then. Here the loss sees ``z + offset`` in place of the logits ``z``, with ``strength`` times the chance's
    logit as offset (less the mean of all frames, so that scores stay where they are): what is known of the frame need
    not be learnt, as exposure need not in a Poisson regression (offsets: McCullagh and Nelder 1989, Generalized Linear
    Models). Its use here is ours. Neither evaluation nor prediction knows of it. With all of the logit, objects score
    alike on all frames, but what is none is pushed down so little on crowded frames that it comes to score higher there
    than elsewhere; hence the ``strength``.

    ``n`` is estimated in rounds, each after a validation: the probabilities of the frame's peaks add up to it
    (``Calibration.scale``), and it is the frame's labels at least. Until the first round, and where the validation set
    supports no threshold, there is no offset. Places that a ``Teacher`` has added or left out make up for the labels
    that lack: from its first round on there is no offset either.

    Assumes that within a frame one object was as likely to be labelled as another.

    Args:
        start: share of the epochs after which the first round may come.
        rounds: number of rounds, spread evenly over the epochs from then on.
        strength: share of the logit that is taken, above 0 and up to 1.

    Raises:
        InputError: an argument outside its range; at the start of ``fit``, if there is no validation set or no end.
    """

    def __init__(self, start: float = 0.1, rounds: int = 5, strength: float = 0.7) -> None:
        if not 0 <= start <= 1 or rounds < 1:
            raise InputError(f"LabelChance: start must lie between 0 and 1, rounds be 1 or more, not {start}, {rounds}")
        if not 0 < strength <= 1:
            raise InputError(f"LabelChance: strength must lie above 0 and not above 1, not {strength}")
        self.start, self.rounds, self.strength = start, rounds, strength
        self.n_rounds = 0
        self.offsets: dict[int, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what could never be estimated; hand over what a resumed run knew."""
        if training_data(trainer, "LabelChance").val_json is None:
            raise InputError("LabelChance: it is calibrated on validation frames; give --data.val_json")
        if trainer.max_epochs is None or trainer.max_epochs < 1:
            raise InputError("LabelChance: its rounds are shares of the training; set trainer.max_epochs")
        training_data(trainer, "LabelChance").teach(offset=FrameOffsets(self.offsets))

    def after_validation(self, trainer: Trainer, module: PointModule) -> None:
        """Estimate, if a round is due."""
        due = self._due(trainer)
        if due <= self.n_rounds:
            return
        self.n_rounds = due
        if training_data(trainer, "LabelChance").taught.additions:
            return  # a teacher has taken over
        calibration = calibrate(module.point_f1, module.sparse, draws=0, labels_at_random=True)
        if calibration is None:
            module.print(f"label chance, round {due}: too early, no threshold is supported yet")
            return
        data = training_data(trainer, "LabelChance")
        objects = expected_objects(trainer, module, data.unaugmented_train_batches(), calibration.scale)
        if not objects:
            module.print(f"label chance, round {due}: all training frames are exhaustive, so none needs an offset")
            return
        self.offsets = offsets_of(data.frames["train"], objects, self.strength)
        data.teach(offset=FrameOffsets(self.offsets))
        module.print(f"label chance, round {due}: {_told(objects)} (threshold {calibration})")

    def _due(self, trainer: Trainer) -> int:
        assert trainer.max_epochs is not None
        return rounds_due((trainer.current_epoch + 1) / trainer.max_epochs + 1e-9, self.start, self.rounds)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, as plain values."""
        return {"rounds": self.n_rounds, "offsets": dict(self.offsets)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take ``state_dict`` over."""
        self.n_rounds, self.offsets = state_dict["rounds"], dict(state_dict["offsets"])


def offsets_of(frames: Iterable[Frame], objects: Mapping[int, float], strength: float) -> dict[int, float]:
    """The offset of each frame's logits, by image id: ``strength`` times that of ``(k + 1/2) / (n + 1)``; mean 0.

    Args:
        frames: all of the training; ``k`` is the number of their points.
        objects: how many there seem to be on those that are not exhaustive; the points are the least.
        strength: see ``LabelChance``.
    """
    logits = {frame.image_id: float(logit(_chance(frame, objects.get(frame.image_id, 0.0)))) for frame in frames}
    mean = float(np.mean(list(logits.values())))
    return {image_id: strength * (value - mean) for image_id, value in logits.items()}


def _chance(frame: Frame, objects: float) -> float:
    labels = len(frame.points)
    return MOST if frame.exhaustive else min(MOST, (labels + _HALF) / (max(labels, objects) + 2 * _HALF))


def _told(objects: Mapping[int, float]) -> str:
    few, many = np.percentile(list(objects.values()), [10, 90])
    return f"{few:.0f} to {many:.0f} objects on eight of ten frames"
