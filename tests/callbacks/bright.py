"""A network that needs no training: a cell's logit is its brightness. On drawn spots it finds the spots."""

import torch
from lightning.pytorch import Trainer
from torch import nn
from torch.nn import functional as F

from carcinosis_loc.data import PointDataModule, TrainTransform
from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder
from carcinosis_loc.losses import HeatmapMSE
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.module import PointModule

N_UNLABELLED = 10 * 4 + 5  # of the 12 training frames: one has no spot, one has a seventh on its border
SOUND = Calibration(0.3, "valley", 5, 9, ScoreScale(2.0, 0.0))


class BrightNet(nn.Module):
    stride = 4

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        grey = image.float().mean(dim=1, keepdim=True)
        return (F.avg_pool2d(grey, self.stride, ceil_mode=True) - 140) / 30 + self.bias


def bright_module(net=None, match_radius_px=6.0, extra_radii_px=(), **decoder):
    return PointModule(
        net or BrightNet(),
        HeatmapMSE(),
        PeakDecoder(**decoder),
        GaussianEncoder(),
        lambda p: torch.optim.SGD(p, lr=0.0),
        match_radius_px=match_radius_px,
        extra_radii_px=extra_radii_px,
    )


def spot_data(spots, **options):
    files = {f"{split}_json": str(spots / f"{split}.json") for split in ("train", "val", "test")}
    options = {"image_dir": str(spots / "images"), "batch_size": 2, "num_workers": 0, **files, **options}
    return PointDataModule(**options, train_transform=TrainTransform(crop_size_px=48))


def quiet_trainer(root, *callbacks, **options):
    options = {"logger": False, "devices": 1, "num_sanity_val_steps": 0, "enable_checkpointing": False, **options}
    return Trainer(
        accelerator="cpu",
        default_root_dir=root,
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        **options,
    )


def taught(spots, root, callback, resume=None, **options):
    """The callback, after a training of four epochs of one batch."""
    data = spot_data(spots, val_json=str(spots / "test.json"))
    fit = quiet_trainer(root, callback, **{"max_epochs": 4, "limit_train_batches": 1, **options})
    fit.fit(bright_module(threshold=None), data, ckpt_path=resume)
    return callback


def counts(callback):
    """How many places a teacher is sure and unsure of."""
    return [sum(len(getattr(known, kind)) for known in callback.additions.values()) for kind in ("sure", "unsure")]
