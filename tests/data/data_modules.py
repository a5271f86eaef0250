"""Data modules on small frames, and what they give."""

import json
from pathlib import Path

from lightning.pytorch import Trainer

from carcinosis_loc.data.datamodule import PointDataModule
from carcinosis_loc.data.transforms import TrainTransform

SIZES = [(40, 50), (40, 50), (60, 44), (40, 50), (60, 44)]


def module(image_dir, **arguments):
    arguments.setdefault("train_transform", TrainTransform(crop_size_px=32))
    return PointDataModule(image_dir, **{"num_workers": 0, "batch_size": 2} | arguments)


def edit(path, change):
    """Change a label file in place."""
    document = json.loads(Path(path).read_text())
    change(document)
    Path(path).write_text(json.dumps(document))


def quiet_trainer(folder, **how):
    return Trainer(default_root_dir=folder, accelerator="cpu", logger=False, enable_checkpointing=False,
                   enable_progress_bar=False, enable_model_summary=False, use_distributed_sampler=False,
                   num_sanity_val_steps=0, **how)  # fmt: skip


def module_with(data, **changes):
    """The same data module with other arguments."""
    for name, value in changes.items():
        setattr(data, name, value)
    return data


def summary(batch):
    return [frame.image_id for frame in batch.frames], batch.image.tolist(), batch.points.tolist()
