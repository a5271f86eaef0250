"""From Python: a checkpoint in, an object out that maps an image to points."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from carcinosis_loc.annotations.images import read_image
from carcinosis_loc.data.coverage import VALID, coverage_map
from carcinosis_loc.data.dataset import letterbox_image
from carcinosis_loc.detector import look_of, threshold_of
from carcinosis_loc.errors import InputError
from carcinosis_loc.export import ExportedModel, Runtime
from carcinosis_loc.heatmap import PeakDecoder, cells_of
from carcinosis_loc.look import ONCE, Look
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.models import Ready, prepared
from carcinosis_loc.points import Letterbox, Peaks, Size
from carcinosis_loc.recipe import load_trained

Image = npt.NDArray[np.uint8]


class Localizer:
    """A trained network with its preprocessing, decoder and threshold.

    Attributes:
        net: the network, in evaluation mode.
        decoder: logits to peaks.
        image_size: frames are letterboxed to this; None keeps their size.
        threshold: the score from which a peak counts; change it at will.
        calibration: where the checkpoint's threshold came from, and how scores read as probabilities
            (``calibration.scale.probability(peaks.scores)``); None where there was nothing to choose by.
    """

    def __init__(
        self,
        net: Ready,
        decoder: PeakDecoder,
        image_size: Size | None,
        threshold: float,
        calibration: Calibration | None = None,
    ) -> None:
        self.net = net.eval()
        self.decoder = decoder
        self.image_size = image_size
        self.threshold = threshold
        self.calibration = calibration

    def __call__(self, image: Image | str | Path, threshold: float | None = None) -> Peaks:
        """Find the points of an image.

        Args:
            image: ``(H, W, 3)``, uint8, RGB; or a path.
            threshold: instead of the object's own.

        Returns:
            ``xy`` in pixels of the image and ``scores`` (probabilities), best first.

        Raises:
            InputError: an image that cannot be read; an array of another shape or type.
        """
        pixels = read_image(Path(image)) if isinstance(image, str | Path) else _checked(image)
        box = Letterbox.fit((pixels.shape[0], pixels.shape[1]), self.image_size)
        peaks = self._peaks(letterbox_image(pixels, box).transpose(2, 0, 1), coverage_map(box)[None] == VALID)
        return box.peaks_to_image(peaks).above(self.threshold if threshold is None else threshold)

    def _peaks(self, image: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_]) -> Peaks:
        """All peaks, network pixels."""
        with torch.inference_mode():
            logits = self.net(self._batch(image))
            cells = cells_of(self._batch(valid), self.net.stride)
            (peaks,) = self.decoder(logits, self.net.stride, cells)
        return peaks

    def _batch(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array))[None].to(self.net.mean.device)


class ExportedLocalizer(Localizer):
    """The same for a file of ``carcloc export``, on the CPU; it has no ``net``."""

    def __init__(self, exported: ExportedModel) -> None:
        self.exported = exported
        metadata = exported.metadata
        self.decoder = metadata.decoder
        self.image_size = metadata.image_size
        self.threshold = threshold_of(metadata.decoder, metadata.calibration)
        self.calibration = metadata.calibration

    def _peaks(self, image: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_]) -> Peaks:
        return self.exported(image[None], valid[None]).peaks[0]


def load(
    checkpoint: str | Path,
    device: str | torch.device = "cpu",
    runtime: Runtime = "onnxruntime",
    views: int | None = None,
    scales: Sequence[float] | None = None,
) -> Localizer:
    """Load a checkpoint of carcloc, or a file of ``carcloc export``, for prediction; nothing but the file is needed.

    Args:
        checkpoint: the file; one that ends with .onnx is an exported one.
        device: where a checkpoint computes; exported files do so on the CPU.
        runtime: what computes an exported file.
        views: from how many sides a checkpoint looks at each image, see ``ManyViews``; None takes as many as its
            threshold was chosen with, which with another number fits less well.
        scales: enlarged by which factors, see ``ManyScales``; None likewise.

    Example:
        >>> import carcinosis_loc
        >>> find = carcinosis_loc.load("runs/demo/checkpoints/best.ckpt")  # doctest: +SKIP
        >>> peaks = find("frame.png")  # doctest: +SKIP

    Raises:
        InputError: the file is no checkpoint of carcloc, or is damaged; there is no such device, or no such number of
            views, or no such scales.
    """
    path = Path(checkpoint)
    try:
        torch.zeros(1, device=device).item()  # a device without numbers, such as meta, has none to give
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device {device}: is none of this machine ({str(error).splitlines()[0]:.80})") from error
    if path.suffix == ".onnx":
        if torch.device(device).type != "cpu":
            raise InputError(f"{path}: exported files compute on the CPU, not on {device}; load the checkpoint there")
        if _looking(ONCE, views, scales) != ONCE:
            raise InputError(f"{path}: exported files look at an image once, as it is; load the checkpoint")
        return ExportedLocalizer(ExportedModel(path, runtime))
    recipe, net, decoder = load_trained(path)
    threshold = threshold_of(decoder, recipe.calibration)
    size = recipe.settings["data"].get("image_size")
    ready = prepared(net.to(device), look=_looking(look_of(recipe.calibration), views, scales))
    return Localizer(ready, decoder, tuple(size) if size else None, threshold, recipe.calibration)


def _looking(look: Look, views: int | None, scales: Sequence[float] | None) -> Look:
    """Another look where something is given."""
    try:
        return look.but(views, None if scales is None else [float(scale) for scale in scales])
    except (TypeError, ValueError) as error:
        raise InputError(str(error)) from error


def _checked(image: Image) -> Image:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"an image must be (H, W, 3), uint8, RGB; got shape {image.shape}, {image.dtype}")
    return image
