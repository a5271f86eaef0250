"""mmpose's HRNet, and the only file that knows mmpose."""

import importlib
import importlib.util
import sys
import types
from typing import Any, cast

from torch import Tensor, nn

from carcinosis_loc.errors import InputError

INSTALL_MMPOSE = "pip install --no-deps mmpose==1.3.2 mmcv-lite==2.2.0 mmengine-lite==0.10.7"


class HRNet(nn.Module):
    """HRNet (Sun et al. 2019, arXiv 1902.09212) as mmpose builds it; keeps a branch at a quarter of the size.

    ``width=32`` with the other arguments left alone is mmpose's HRNet-W32, so its checkpoints fit.

    Args:
        width: channels of the finest branch; each coarser one has twice as many.
        stem_width: channels of stage 1 before expansion by 4 (64 in the paper).
        stem_blocks: bottleneck blocks of stage 1 (4 in the paper).
        modules: how often stages 2, 3 and 4 are repeated ((1, 4, 3) in the paper).
        blocks: residual blocks a branch and module (4 in the paper).
        frozen_batch_norm: keep the batch norms' statistics as they are in training too; for tiny batches and
            for one answer on any number of processes.
        checkpointing: trade time for memory in the backward pass.

    Shape:
        ``(B, 3, H, W)``, normalised, sides multiples of 32 -> ``(B, width, H/4, W/4)``.

    Raises:
        InputError: mmpose is missing; the message holds the command that installs it.
        ValueError: a width or count outside [1, 1024], or more than 2000 blocks in all (HRNet-W32 has 108).
    """

    stride = 4
    multiple = 32

    def __init__(
        self,
        width: int = 32,
        stem_width: int = 64,
        stem_blocks: int = 4,
        modules: tuple[int, int, int] = (1, 4, 3),
        blocks: int = 4,
        frozen_batch_norm: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        sizes = (width, stem_width, stem_blocks, *modules, blocks)
        if min(sizes) < 1 or max(sizes) > 1024:
            raise ValueError(f"the HRNet's widths and counts must be from 1 to 1024, got {sizes}")
        total = stem_blocks + blocks * sum(branches * repeats for branches, repeats in enumerate(modules, start=2))
        if total > 2000:
            raise ValueError(f"the HRNet would have {total} blocks; lower blocks or modules")
        extra = {"stage1": _stage("BOTTLENECK", 1, 1, stem_blocks, stem_width)}
        for number, repeats in enumerate(modules, start=2):
            extra[f"stage{number}"] = _stage("BASIC", repeats, number, blocks, width)
        self.body = _mmpose_hrnet()(extra=extra, norm_eval=frozen_batch_norm, with_cp=checkpointing)
        self.body.train()  # a trainer may never call it, and it is what mmpose freezes the norms in
        self.out_channels = width

    def forward(self, image: Tensor) -> Tensor:
        """Features of the finest branch, see the class."""
        return cast(Tensor, self.body(image)[0])


def _stage(block: str, modules: int, branches: int, blocks: int, width: int) -> dict[str, Any]:
    return {
        "block": block,
        "num_modules": modules,
        "num_branches": branches,
        "num_blocks": (blocks,) * branches,
        "num_channels": tuple(width * 2**branch for branch in range(branches)),
    }


def _mmpose_hrnet() -> type[nn.Module]:
    """mmpose's class, without ``mmpose.models`` as a whole: that one needs mmdet and compiled operators."""
    try:
        if "mmpose.models" not in sys.modules:  # a full OpenMMLab stack that is in use stays as it is
            _bare_package("mmpose.models")
            _bare_package("mmpose.models.backbones")
        module = importlib.import_module("mmpose.models.backbones.hrnet")
    except ImportError as error:
        raise InputError(f"mmpose cannot be imported ({error}); install it with: {INSTALL_MMPOSE}") from error
    return cast(type[nn.Module], module.HRNet)


def _bare_package(name: str) -> None:
    """Put a package into ``sys.modules`` that finds its submodules but runs no ``__init__``."""
    parent, _, child = name.rpartition(".")
    package = importlib.import_module(parent)
    bare = types.ModuleType(name)
    bare.__path__ = [f"{folder}/{child}" for folder in package.__path__]
    bare.__spec__ = importlib.util.spec_from_loader(name, loader=None, is_package=True)
    sys.modules[name] = bare
