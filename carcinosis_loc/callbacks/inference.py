"""The network of validate, test and predict: made ready for inference, and put back afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from carcinosis_loc.callbacks.checkpoints import BestCheckpoint
from carcinosis_loc.callbacks.final_look import choose_looking
from carcinosis_loc.callbacks.finding import training_data
from carcinosis_loc.detector import PointDetector, look_of
from carcinosis_loc.errors import InputError
from carcinosis_loc.export import ExportedModule
from carcinosis_loc.look import ONCE
from carcinosis_loc.models import HeatmapNet, prepared
from carcinosis_loc.module import PointModule

_log = logging.getLogger(__name__)


class Inference(Callback):
    """Speeds the network up while nothing is trained, bounds its memory, and has it look as it is asked to.

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
            1.
        scales: enlarged by which factors, such as ``[1.0, 1.5]``, and the mean of the logits taken (multi-scale
            testing). Finds more of what is small; each factor takes its square as long. What is said of ``views`` holds
            of them, too.

    A training, and its validations, look at images once, as they are; in its end the threshold of the best checkpoint
    is chosen anew for ``views`` and ``scales``, if there are validation frames.
    """

    def __init__(
        self,
        fold: bool = True,
        compile: bool = False,
        tile_px: int | None = 2048,
        margin_px: int = 256,
        views: int | None = None,
        scales: list[float] | None = None,
    ) -> None:
        self.options: dict[str, Any] = {"fold": fold, "compile": compile, "tile_px": tile_px, "margin_px": margin_px}
        self.views, self.scales = views, scales
        try:
            self._after_fit = ONCE.but(views, scales)
        except ValueError as error:
            raise InputError(f"--inference.{error}") from error
        self._trained: HeatmapNet | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Settle how images are looked at, before others ask."""
        if stage == "fit" and isinstance(pl_module, PointModule) and self._after_fit != ONCE:
            with _refusing():  # before the training, and not after it
                prepared(pl_module.net, **self.options | {"compile": False}, look=self._after_fit)
        if not isinstance(pl_module, PointDetector) or stage == "fit":
            return
        exported = isinstance(pl_module, ExportedModule)
        chosen = ONCE if exported else look_of(pl_module.calibration)
        pl_module.look = chosen.but(self.views, self.scales)
        if exported and pl_module.look != ONCE:
            raise InputError("--inference: an exported file looks at an image once, as it is; take the checkpoint")
        by_hand = pl_module.decoder.threshold is not None or pl_module.calibration is None
        if pl_module.look != chosen and not by_hand and stage != "validate":  # calibrate validates, too
            _log.warning(
                "inference: the threshold was chosen looking %s, not %s; carcloc calibrate with %s chooses one for it",
                *(chosen, pl_module.look, pl_module.look.options),
            )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose the best checkpoint's threshold for the look that is asked for."""
        if self._after_fit == ONCE or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        assert isinstance(pl_module, PointModule)
        best = [Path(one.best_model_path) for one in trainer.checkpoint_callbacks if isinstance(one, BestCheckpoint)]
        chosen = None
        if best and best[0].name and training_data(trainer, "Inference").val_json is not None:
            pl_module.print(f"inference: choosing the threshold of {best[0].name} anew, looking {self._after_fit}")
            chosen = choose_looking(trainer, pl_module, best[0], self._after_fit, **self.options)
        if chosen is None and trainer.is_global_zero:
            _log.warning(
                "inference: there was nothing to choose a threshold by looking %s, so checkpoints look once; "
                "carcloc calibrate with %s on other frames can change that",
                *(self._after_fit, self._after_fit.options),
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
        with _refusing():
            if isinstance(module, PointModule):
                ready = prepared(module.net, **self.options, look=module.look)
                self._trained, module.net = module.net, ready  # type: ignore[assignment]
            elif isinstance(module, ExportedModule):  # its network is as it was exported
                module.exported.cut_above(self.options["tile_px"], self.options["margin_px"])

    def _swap_out(self, module: LightningModule) -> None:
        if self._trained is not None:
            assert isinstance(module, PointModule)
            module.net, self._trained = self._trained, None


@contextmanager
def _refusing() -> Iterator[None]:
    """What an argument without sense leads to, in one line."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"--inference: {error}") from error
