"""Torch's side of the data: from frames to batches."""

import os

# albumentations asks the network for its newest version when it is imported. This line runs before any module of
# this package can import it: a hospital's machine stays silent.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

from carcinosis_loc.data.additions import Additions
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.copy_paste import CopyPaste
from carcinosis_loc.data.datamodule import PointDataModule
from carcinosis_loc.data.transforms import TrainTransform

__all__ = ["Additions", "Batch", "CopyPaste", "PointDataModule", "TrainTransform"]
