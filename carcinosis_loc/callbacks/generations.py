"""One training, several networks after each other: what was learnt about the labels stays, and the weights may."""

from collections.abc import Mapping

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from carcinosis_loc.module import PointModule
from carcinosis_loc.schedules import OneCycle

Weights = Mapping[str, Tensor]


def first_weights(module: PointModule) -> Weights:
    """A copy of the network's weights and running statistics, to begin from again."""
    return {name: value.detach().clone() for name, value in module.net.state_dict().items()}


def begin_anew(trainer: Trainer, module: PointModule, weights: Weights | None) -> None:
    """Give the network these weights, and let optimizer and averages forget what was before.

    The learning rate is the schedule's affair: see ``schedules.OneCycle``'s ``cycles``.

    Args:
        trainer: whose optimizers and averages they are.
        module: the network.
        weights: None goes on from the network's own, the averaged ones if there are such.
    """
    if weights is not None:
        module.net.load_state_dict(weights)
    for optimizer in trainer.optimizers:
        optimizer.state.clear()
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, WeightAveraging) and callback._average_model is not None:
            averaged = callback._average_model.module
            assert isinstance(averaged, PointModule)
            if weights is None:
                module.net.load_state_dict(averaged.net.state_dict())
            # Lightning cannot begin an average anew; torch copies the weights at the first update.
            callback._average_model.n_averaged.zero_()


def cycles_warning(trainer: Trainer, generations: int) -> str | None:
    """What is to be said of a learning rate that does not rise and fall with each network; None if it does."""
    for config in trainer.lr_scheduler_configs:
        schedule = config.scheduler
        if isinstance(schedule, OneCycle) and generations > 1 and schedule.cycles != generations:
            return (
                f"the learning rate has {schedule.cycles} cycles for {generations} networks, so that some begin or end "
                f"in the midst of one; give --model.scheduler.cycles {generations}"
            )
    return None
