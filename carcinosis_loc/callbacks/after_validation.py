"""A look at the network after each validation in a training."""

from abc import ABC, abstractmethod
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from carcinosis_loc.module import PointModule


class AfterValidation(Callback, ABC):
    """Calls ``after_validation`` with the last batch of each validation in a training: its weights are still in place.

    With a ``WeightAveraging`` callback these are the averaged ones. Validations that are no part of a training, and
    what Lightning validates before one to see whether it works, are passed over.
    """

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """See the class."""
        trains = trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking
        if trains and batch_idx + 1 == trainer.num_val_batches[dataloader_idx]:
            assert isinstance(pl_module, PointModule)
            self.after_validation(trainer, pl_module)

    @abstractmethod
    def after_validation(self, trainer: Trainer, module: PointModule) -> None:
        """What is to be done; the module's metrics hold all that was counted."""
