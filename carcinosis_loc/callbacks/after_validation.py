"""A look at the network after each validation of a training."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.module import PointModule


class AfterValidation(Callback):
    """Calls ``after_validation`` with the last batch of each validation: the validated weights are still in place.

    With a ``WeightAveraging`` callback these are the averaged ones. What Lightning validates before a training, to see
    whether it works, is passed over.
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
        if batch_idx + 1 == trainer.num_val_batches[dataloader_idx] and not trainer.sanity_checking:
            assert isinstance(pl_module, PointModule)
            self.after_validation(trainer, pl_module)

    def after_validation(self, trainer: Trainer, module: PointModule) -> None:
        """What is to be done; the module's metrics hold all that was counted."""
        raise NotImplementedError
