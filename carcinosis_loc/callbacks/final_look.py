"""The threshold of a training's best checkpoint, chosen anew for another look than that of the validations."""

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from carcinosis_loc.callbacks.finding import found_on, training_data
from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.callbacks.standing_in import standing_in
from carcinosis_loc.look import Look
from carcinosis_loc.metrics import Calibration, calibrate
from carcinosis_loc.models import prepared
from carcinosis_loc.module import PointModule, count
from carcinosis_loc.recipe import keep_calibration, load_trained


def choose_looking(trainer: Trainer, module: PointModule, path: Path, look: Look, **ready: Any) -> Calibration | None:
    """Choose the checkpoint's threshold by the validation frames, looking at them in this way, and keep it there.

    Args:
        trainer: at the end of a training; every process must ask. As many batches are looked at as it validates.
        module: whose decoder finds the peaks, and whose metrics count them, from nothing.
        path: of the checkpoint, which is replaced whole or not at all; all processes read it.
        look: how to look at images, now and whenever the checkpoint is used.
        ready: further arguments of ``prepared``.

    Returns:
        The new calibration; None, with the checkpoint as it was, where there is nothing to choose by, or where some
        process cannot read the file.
    """
    if not all(from_all_processes([path.is_file()])):
        return None
    dense, sparse = module.point_f1, module.sparse
    dense.reset()
    sparse.reset()
    _, net, _ = load_trained(path)
    with standing_in(module, prepared(net, look=look, **ready)):
        batches = islice(training_data(trainer, "Inference").val_dataloader(), _batches(trainer))
        for batch, found in found_on(trainer, module, batches):
            count(found, batch, dense, sparse)
    chosen = calibrate(dense, sparse, labels_at_random=module.labels_at_random)
    if chosen is None:
        return None
    seen = replace(chosen, look=look)
    if trainer.is_global_zero:
        keep_calibration(path, seen, forget_given=False)
    return seen


def _batches(trainer: Trainer) -> int | None:
    """How many batches a validation has; None for all."""
    most = next(iter(trainer.num_val_batches), math.inf)
    return None if math.isinf(most) else int(most)
