"""Learning-rate schedules that know the length of the run: built from ``(optimizer, total_steps)``."""

import logging
import math
from typing import Any, cast

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from carcinosis_loc.errors import InputError

logger = logging.getLogger(__name__)


class OneCycle(OneCycleLR):
    """One cycle over the whole run, or several one after the other, stepped per batch.

    Smith and Topin 2018, arXiv 1708.07120.

    The highest learning rate is the optimizer's own, so that it is written once. torch's schedulers that take a
    length second (``CosineAnnealingLR``, ``PolynomialLR``) can be named in its place.

    Args:
        optimizer: its ``lr`` becomes the summit of the cycle.
        total_steps: batches in the run; Lightning's ``estimated_stepping_batches``.
        pct_start: share of the run in which the rate rises.
        div_factor: summit over first rate.
        final_div_factor: first over last rate.
        cycles: how many; they divide the run evenly, as the generations of ``callbacks.Teacher`` do.

    Raises:
        InputError: less than one cycle, or more than there are steps.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        cycles: int = 1,
    ) -> None:
        if not 1 <= cycles <= total_steps:
            raise InputError(
                f"OneCycle: cycles must lie between 1 and the number of steps, {total_steps}, not {cycles}"
            )
        self.steps_in_all = total_steps
        summit = [cast(float, group["lr"]) for group in optimizer.param_groups]
        super().__init__(
            optimizer,
            max_lr=summit,
            total_steps=math.ceil(total_steps / cycles),
            pct_start=pct_start,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
        )

    @property
    def cycles(self) -> int:
        """How often the rate rises and falls over the run."""
        return math.ceil(self.steps_in_all / self.total_steps)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint, over this run's length: a run may be resumed with more epochs than it had."""
        own = {name: vars(self)[name] for name in ("total_steps", "steps_in_all", "_schedule_phases")}
        super().load_state_dict(state_dict | own)
        before = state_dict.get("steps_in_all", state_dict.get("total_steps"))
        if before != self.steps_in_all:
            logger.warning(
                "resumed with another length: the learning rate's schedule now has %d steps and not %s; this is "
                "another training than one of that length from the start",
                self.steps_in_all,
                before,
            )

    def get_lr(self) -> list[float | Tensor]:
        """Rates at this step.

        Raises:
            InputError: the cycle is over, so the run was resumed with fewer steps than it has had.
        """
        if self.last_epoch > self.steps_in_all:
            raise InputError(
                f"the run has had {self.last_epoch - 1} steps, and the schedule of this command ends after "
                f"{self.steps_in_all}: resume with the --data.samples_per_epoch, --data.batch_size and number of "
                "processes that it had, and at least its --trainer.max_epochs; or begin another run in another "
                "--trainer.default_root_dir"
            )
        steps = self.last_epoch
        self.last_epoch = steps % self.total_steps if steps < self.steps_in_all else self.total_steps
        try:
            return super().get_lr()
        finally:
            self.last_epoch = steps
