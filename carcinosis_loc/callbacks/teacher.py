"""The model teaches itself from what nobody labelled: first by leaving it out of the loss, later by believing it."""

import math
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from carcinosis_loc.callbacks import believing
from carcinosis_loc.callbacks.after_validation import AfterValidation
from carcinosis_loc.callbacks.believing import Beside
from carcinosis_loc.callbacks.checkpoints import BestCheckpoint
from carcinosis_loc.callbacks.elder import elder_in_place
from carcinosis_loc.callbacks.finding import find_beside, training_data
from carcinosis_loc.callbacks.generations import Weights, begin_anew, cycles_warning, first_weights
from carcinosis_loc.callbacks.rounds import Rounds
from carcinosis_loc.data import Additions
from carcinosis_loc.errors import InputError
from carcinosis_loc.losses import HeatmapLoss
from carcinosis_loc.metrics import Calibration, calibrate
from carcinosis_loc.module import PointModule


class Teacher(AfterValidation):
    """Turns confident peaks on the training frames into labels and leaves doubtful ones out of the loss, in rounds.

    Each round follows a validation, from whose labels and scores a calibration is chosen. Where the scores have a clear
    valley it decides alone: a teacher is of use where labels are not missing at random, and there they would mislead
    it; unless it is known how they were chosen (``model.labels_at_random``). The validated weights (the averaged ones,
    with a ``WeightAveraging`` callback) find the peaks of all training frames that are not exhaustive.
    A peak farther than the match radius from every label is

    - *sure* from probability ``sure`` up (``Calibration.scale``): labelled, but only in the later rounds;
    - *unsure* from ``doubt`` up: a disc around it is left out of the loss. In the early rounds that is all of them: an
      unlabelled object is then at least not taught to be background, and scores part before any is believed.

    Every round starts from nothing, so what is no longer believed is taken back; it may believe in ``growth`` times as
    many objects as the one before, the best. Where the validation set supports no threshold yet, the round changes
    nothing. Where its peaks are several times as many as those of the same network's round before by the same rule, or
    no threshold is supported any more, the maps have flooded or collapsed: the teacher says so, takes everything back
    and stops. A round whose threshold is by another rule than the one before's may find a few times as many; one that
    finds very many more is passed over, and what was taught stays.

    A taught network finds more than is labelled, and the Lee-Liu score, by which checkpoints are chosen, may fall with
    every object more. From the first round on the latest epoch is therefore kept as the best, unless exhaustive
    validation frames decide.

    Pseudo-labels: Lee 2013; the ignored band between: soft-teacher practice, e.g. Xu et al. 2021 (arXiv 2106.09018);
    ignoring before believing, and the choice of both by calibration on sparse labels, are ours. A finished network that
    teaches a new one of its kind: Furlanello et al. 2018 (arXiv 1805.04770), Xie et al. 2020 (arXiv 1911.04252).

    Args:
        start: share of the epochs after which the first round may come.
        rounds: number of rounds, spread evenly over the epochs from then on.
        believe_from: share of the rounds that only leave out.
        sure: probability from which a peak is labelled.
        doubt: probability from which a peak is left out of the loss.
        growth: most objects, labels among them, that a round believes in, over those that the one before believed in,
            if it did: a threshold that false peaks have misled would else hand them on to the next network. The best
            are believed in, and the others are passed over, as if nothing had been found there.
        elder: a checkpoint whose network and calibration teach from the first step on, until the first round of this
            network's own; any network of the same stride, such as one that was taught itself. null begins alone.
        generations: how many networks the training makes, one after the other, over as many epochs each, so that they
            must divide trainer.max_epochs. Each is taught by the one before it as by an elder, and believes from its
            first round on; the other arguments hold for each. The learning rate should have as many cycles
            (``OneCycle``'s ``cycles``). Where nothing was found that could be taught, the network goes on instead.
        anew: whether each of them begins with the first weights; false begins with those that taught it.
        loss: of a network that another one teaches from its first step on, in place of the model's. What suits few
            labels, a tail that forgives, is too kind where hardly any is lacking. null keeps the model's.

    Raises:
        InputError: an argument outside its range; at the start of ``fit``, if there is no validation set or no end, or
            the elder cannot be used.
    """

    def __init__(
        self,
        start: float = 0.3,
        rounds: int = 5,
        believe_from: float = 0.5,
        sure: float = 0.85,
        doubt: float = 0.25,
        growth: float = 1.5,
        elder: str | None = None,
        generations: int = 1,
        anew: bool = True,
        loss: HeatmapLoss | None = None,
    ) -> None:
        self.when = Rounds(start, rounds, believe_from, generations)
        if not 0 < doubt <= sure < 1:
            raise InputError(f"Teacher: 0 < doubt <= sure < 1 must hold, not {doubt} and {sure}")
        if not growth >= 1:
            raise InputError(f"Teacher: growth must be at least 1, not {growth}")
        self.sure, self.doubt, self.growth = sure, doubt, growth
        self.elder, self.generations, self.anew, self.loss = elder, generations, anew, loss
        self.generation, self.n_rounds, self.stopped = 0, 0, False
        self.taught_itself, self.loss_changed, self._resumed = False, False, False
        self._first: Weights = {}
        self.rule, self.peaks_per_frame = "", 0.0
        self.additions: dict[int, Additions] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what could never teach; hand over what a resumed run knew."""
        data = training_data(trainer, "Teacher")
        if data.val_json is None:
            raise InputError("Teacher: it is calibrated on validation frames; give --data.val_json")
        warning = self.when.check(trainer.max_epochs, trainer.check_val_every_n_epoch or 1)
        if warning and self.elder is None:
            pl_module.print(f"teacher: {warning}")
        assert isinstance(pl_module, PointModule)
        if self.anew and self.generation + 1 < self.generations and not self._first:
            self._first = first_weights(pl_module)
        if self.elder is not None and not self._resumed:
            self._inherit(trainer, pl_module, Path(self.elder))
        if self.elder is not None or self.loss_changed:
            self._change_loss(pl_module)
        self._hand_over(trainer, pl_module)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say so if the learning rate does not begin anew with each network."""
        if warning := cycles_warning(trainer, self.generations):
            pl_module.print(f"teacher: {warning}")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin the next generation if it is time; let the latest epoch be the best, see the class."""
        if self._share(trainer, trainer.current_epoch) >= 1:
            self.generation, self.n_rounds, self.taught_itself = self.generation + 1, 0, False
            if self._teaches and not self.stopped:
                assert isinstance(pl_module, PointModule)
                begin_anew(trainer, pl_module, self._first if self.anew else None)
                self._change_loss(pl_module)
                pl_module.print(f"teacher: network {self.generation + 1} of {self.generations} begins")
            else:
                pl_module.print("teacher: nothing is known beyond the labels, so the network goes on")
        for checkpoint in trainer.checkpoint_callbacks:
            if isinstance(checkpoint, BestCheckpoint) and self._teaches and self.rule != "exhaustive":
                checkpoint.forget()

    def after_validation(self, trainer: Trainer, module: PointModule) -> None:
        """Teach, if a round is due."""
        if not self.stopped and self._due(trainer) > self.n_rounds:
            self._teach(trainer, module)
            self._hand_over(trainer, module)

    @property
    def _teaches(self) -> bool:
        """Whether anything is known beyond the labels."""
        return any(believing.count_places(self.additions))

    @property
    def _round(self) -> str:
        return (
            f"round {self.n_rounds}" if self.n_rounds <= self.when.rounds else f"end of network {self.generation + 1}"
        )

    def _share(self, trainer: Trainer, epochs: int) -> float:
        assert trainer.max_epochs is not None
        return self.when.share(epochs, trainer.max_epochs, self.generation)

    def _due(self, trainer: Trainer) -> int:
        return self.when.due(self._share(trainer, trainer.current_epoch + 1), self.generation)

    def _teach(self, trainer: Trainer, module: PointModule) -> None:
        self.n_rounds = self._due(trainer)
        known = module.labels_at_random
        calibration = calibrate(module.point_f1, module.sparse, labels_first=False, draws=0, labels_at_random=known)
        if calibration is None:
            if self.taught_itself:
                self._stop(module, "the scores have collapsed, no threshold is supported any more")
            else:
                labels = int(module.sparse.compute()["n_labelled"])
                module.print(
                    f"teacher, {self._round}: too early, or too few: of {labels} labels on the validation "
                    "frames not enough are found to support a threshold"
                )
            return
        beside = self._find(trainer, module, calibration)
        peaks, before = believing.peaks_a_frame(beside), self.peaks_per_frame
        if self.taught_itself and calibration.rule == self.rule and believing.floods(peaks, before):
            return self._stop(module, f"{peaks:.0f} peaks a frame where {before:.0f} were before: the maps flood")
        if believing.floods_by_another_rule(peaks, before):
            module.print(
                f"teacher, {self._round}: passed over, as it found {peaks:.0f} peaks a frame where "
                f"{before:.0f} were found before (threshold {calibration})"
            )
            return
        most = believing.most_after(self.additions, training_data(trainer, "Teacher").frames["train"], self.growth)
        sure = self.sure if self.when.believe(self.n_rounds, self.generation) else 1.0
        self._take(module, self._round, beside, calibration, sure, most)
        self.taught_itself = self._teaches

    def _inherit(self, trainer: Trainer, module: PointModule, path: Path) -> None:
        """Take over what the elder finds on the training frames."""
        with elder_in_place(module, path) as calibration:
            beside = self._find(trainer, module, calibration)
        self._take(module, path.name, beside, calibration, self.sure, None)

    def _change_loss(self, module: PointModule) -> None:
        if self.loss is not None:
            module.loss, self.loss_changed = self.loss.to(module.device), True

    def _stop(self, module: PointModule, why: str) -> None:
        self.additions, self.stopped = {}, True
        module.print(f"teacher: {why}; it stops and takes all back")

    def _find(self, trainer: Trainer, module: PointModule, calibration: Calibration) -> Beside:
        batches = training_data(trainer, "Teacher").unaugmented_train_batches()
        return find_beside(trainer, module, batches, calibration.scale.score_at(self.doubt))

    def _take(
        self, module: PointModule, what: str, beside: Beside, calibration: Calibration, sure: float, most: int | None
    ) -> None:
        score = calibration.scale.score_at(sure) if sure < 1 else math.inf
        self.additions, self.rule = believing.believed(beside, score, most), calibration.rule
        self.peaks_per_frame = believing.peaks_a_frame(beside)
        module.print(f"teacher, {what}: {believing.told(self.additions, beside)} (threshold {calibration})")

    def _hand_over(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, PointModule)
        known = self.additions if self._teaches else {}  # nothing found is no reason to drop another callback's offset
        training_data(trainer, "Teacher").teach(additions=known, match_radius_px=module.match_radius_px)

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs, as plain values and tensors."""
        additions = {image_id: known.tensors() for image_id, known in self.additions.items()}
        first = dict(self._first) if self.generation + 1 < self.generations else {}
        counts = {"generation": self.generation, "rounds": self.n_rounds, "stopped": self.stopped}
        counts |= {"taught_itself": self.taught_itself, "loss_changed": self.loss_changed}
        known = {"rule": self.rule, "peaks_per_frame": self.peaks_per_frame, "additions": additions}
        return {**counts, **known, "first": first}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take ``state_dict`` over."""
        self.n_rounds, self.stopped = state_dict["rounds"], state_dict["stopped"]
        self.generation, self._first = state_dict.get("generation", 0), state_dict.get("first", {})
        self.rule, self.peaks_per_frame = state_dict["rule"], state_dict["peaks_per_frame"]
        known = state_dict["additions"].items()
        self.additions = {image_id: Additions(*(xy.numpy() for xy in places)) for image_id, places in known}
        self.taught_itself = state_dict.get("taught_itself", self.n_rounds > 0 and self._teaches)
        self.loss_changed = state_dict.get("loss_changed", False)
        self._resumed = True
