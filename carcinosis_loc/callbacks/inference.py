"""The network of validate, test and predict: made ready for inference, and put back afterwards."""

import logging
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from carcinosis_loc.detector import PointDetector, views_of
from carcinosis_loc.errors import InputError
from carcinosis_loc.export import ExportedModule
from carcinosis_loc.models import HeatmapNet, check_views, prepared
from carcinosis_loc.module import PointModule

_log = logging.getLogger(__name__)


class Inference(Callback):
    """Speeds the network up while nothing is trained, bounds its memory, and has it look from several sides if asked.

    See docs/speed.md and docs/predict.md.

    Args:
        fold: make batch norms part of the convolutions before them; the logits stay within rounding.
        compile: compile the network; pays on a GPU, or for thousands of images of one size.
        tile_px: longest side that the network sees at once, network pixels; larger images are seen in tiles. null
            takes any image as a whole.
        margin_px: how much of a tile, to each side, is context alone, network pixels.
        views: from how many sides each image is looked at, mirrored and turned, and the mean of the logits taken: 1, 2
            (mmpose's ``flip_test``), 4 or 8. Finds more, and takes as many times as long. Scores change a little, so
            choose the threshold by ``carcloc calibrate`` with the same number. null takes as many as that was with, or
            1. A training, and its validation, looks from one side.
    """

    def __init__(
        self,
        fold: bool = True,
        compile: bool = False,
        tile_px: int | None = 2048,
        margin_px: int = 256,
        views: int | None = None,
    ) -> None:
        self.options: dict[str, Any] = {"fold": fold, "compile": compile, "tile_px": tile_px, "margin_px": margin_px}
        self.views = views
        self._trained: HeatmapNet | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Settle from how many sides images are looked at, before others ask."""
        if stage == "fit" or not isinstance(pl_module, PointDetector):
            return
        exported = isinstance(pl_module, ExportedModule)
        chosen = 1 if exported else views_of(pl_module.calibration)
        pl_module.views = chosen if self.views is None else self.views
        try:
            check_views(pl_module.views)
        except ValueError as error:
            raise InputError(f"--inference.{error}") from error
        if exported and pl_module.views > 1:
            raise InputError("--inference.views: an exported file looks at images from one side; take the checkpoint")
        by_hand = pl_module.decoder.threshold is not None or pl_module.calibration is None
        if pl_module.views != chosen and not by_hand and stage != "validate":  # calibrate validates, too
            _log.warning(
                "inference.views: the threshold was chosen looking from %d side%s, not %d; carcloc calibrate with "
                "--inference.views %d chooses one for that",
                *(chosen, "" if chosen == 1 else "s", pl_module.views, pl_module.views),
            )

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the copy, unless this is validation in between training."""
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._swap_in(pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the copy."""
        self._swap_in(pl_module)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the copy."""
        self._swap_in(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the network itself back."""
        self._swap_out(pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the network itself back."""
        self._swap_out(pl_module)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the network itself back."""
        self._swap_out(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Put the network itself back."""
        self._swap_out(pl_module)

    def _swap_in(self, module: LightningModule) -> None:
        try:
            if isinstance(module, PointModule):
                ready = prepared(module.net, **self.options, views=module.views)
                self._trained, module.net = module.net, ready  # type: ignore[assignment]
            elif isinstance(module, ExportedModule):  # its network is as it was exported
                module.exported.cut_above(self.options["tile_px"], self.options["margin_px"])
        except ValueError as error:
            raise InputError(f"--inference: {error}") from error

    def _swap_out(self, module: LightningModule) -> None:
        if self._trained is not None:
            assert isinstance(module, PointModule)
            module.net, self._trained = self._trained, None
