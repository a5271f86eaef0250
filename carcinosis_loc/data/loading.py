"""How batches are loaded; the loader of training batches can go on in the middle of an epoch."""

from collections.abc import Iterator
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader

from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.dataset import Sample
from carcinosis_loc.data.sampling import TrainSampler


class TrainLoader(DataLoader[Sample]):
    """A ``DataLoader`` over a ``TrainSampler`` that knows how many batches of the epoch it has handed out.

    Lightning keeps ``state_dict`` in each checkpoint and gives it back on resuming (its "stateful" loaders); the
    sampler then passes over what the run has had, without loading it.
    """

    _given = 0
    _left_off: tuple[int, int] | None = None  # epoch, batches

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Batches of the epoch; after ``load_state_dict`` those that are left of it."""
        assert isinstance(self.sampler, TrainSampler)
        assert self.batch_size is not None
        epoch, batches = self._left_off or (self.sampler.epoch, 0)
        self._given, self._left_off = batches if epoch == self.sampler.epoch else 0, None
        self.sampler.skip = self._given * self.batch_size
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """The epoch, and how many of its batches were handed out."""
        assert isinstance(self.sampler, TrainSampler)
        return {"epoch": self.sampler.epoch, "batches": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """An iteration over the same epoch leaves these batches out."""
        self._left_off = state["epoch"], state["batches"]


def loading_options(num_workers: int) -> dict[str, Any]:
    """What all loaders of frames have in common, as arguments of ``DataLoader``."""
    return {
        "num_workers": num_workers,
        "persistent_workers": num_workers > 0,
        "pin_memory": torch.cuda.is_available(),
        "collate_fn": collate,
        "worker_init_fn": _start_worker,
    }


def _start_worker(worker_id: int) -> None:
    """Workers are many: each does with one thread."""
    cv2.setNumThreads(0)
