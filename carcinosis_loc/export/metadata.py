"""What an exported file says of itself, so that it needs nothing beside it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carcinosis_loc.detector import threshold_of
from carcinosis_loc.errors import InputError
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.points import Size
from carcinosis_loc.recipe import checked_calibration

KEY = "carcloc"  # of the JSON text among an ONNX file's metadata_props
FORMAT = 1
_NUMBERS = ("score_floor", "nms_radius_px", "top_k")


@dataclass(frozen=True)
class Metadata:
    """The part of an exported file that is not the graph.

    Attributes:
        version: of carcloc, that wrote it.
        image_size: ``(height, width)`` that images are letterboxed to; None keeps their size.
        category: what the points are, where the labels named it.
        stride: network pixels a cell of the logits.
        multiple: where tiles may begin, see ``Backbone``; None in files of earlier versions, which cannot be tiled.
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        decoder: how the graph finds peaks; its threshold is None unless it was given by hand.
        calibration: the threshold that was chosen in training, if one was.
        checkpoint_sha256: of the checkpoint that it was made of.
        weights_sha256: of the weights in it.
    """

    version: str
    image_size: Size | None
    category: str | None
    stride: int
    match_radius_px: float
    decoder: PeakDecoder
    calibration: Calibration | None
    checkpoint_sha256: str
    weights_sha256: str = ""
    multiple: int | None = None

    def text(self) -> str:
        """As JSON; ``threshold`` is the one to use, and stands there for readers without carcloc."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "version": self.version,
            "threshold": threshold_of(self.decoder, self.calibration),
            "image_size": self.image_size,
            "stride": self.stride,
            "multiple": self.multiple,
            "match_radius_px": self.match_radius_px,
            "category": self.category,
            "decoder": {name: getattr(self.decoder, name) for name in ("threshold", *_NUMBERS)},
            "calibration": None if self.calibration is None else self.calibration.plain(),
            "checkpoint_sha256": self.checkpoint_sha256,
            "weights_sha256": self.weights_sha256,
            "note": "For research use only.",
        }
        return json.dumps(content, allow_nan=False)

    @classmethod
    def read(cls, path: Path, text: str) -> "Metadata":
        """From what ``text`` gave.

        Raises:
            InputError: it is none; the message names ``path``.
        """
        try:
            content = json.loads(text)
            if content["format"] != FORMAT:
                raise InputError(f"{path}: is of format {content['format']!s:.20}; this carcloc reads format {FORMAT}")
            return _checked(path, content)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            reason = f"{type(error).__name__}: {error!s:.80}"
            raise InputError(f"{path}: what it says of itself is damaged ({reason}); export it anew") from error


def _checked(path: Path, content: Mapping[str, Any]) -> Metadata:
    decoder = content["decoder"]
    size = content["image_size"]
    for name in ("version", "checkpoint_sha256", "weights_sha256"):
        if not isinstance(content[name], str):
            raise TypeError(f"{name} is no text")
    numbers = [content["stride"], content["match_radius_px"], *(decoder[name] for name in _NUMBERS), *(size or [1, 1])]
    if not all(isinstance(number, int | float) and math.isfinite(number) and number >= 0 for number in numbers):
        raise ValueError("a number in it is none")
    multiple = content.get("multiple")
    whole = [content["stride"], decoder["top_k"], *(size or [1, 1]), *([] if multiple is None else [multiple])]
    if not all(isinstance(number, int) and 1 <= number <= 65536 for number in whole):
        raise ValueError("a size or a count in it makes no sense")
    if multiple is not None and multiple % content["stride"]:
        raise ValueError("multiple is none of stride")
    if size is not None and len(size) != 2:
        raise ValueError("image_size is no [height, width]")
    if content["category"] is not None and not isinstance(content["category"], str):
        raise TypeError("category is no text")
    return Metadata(
        content["version"],
        None if size is None else (size[0], size[1]),
        content["category"],
        content["stride"],
        float(content["match_radius_px"]),
        PeakDecoder(decoder["threshold"], *(decoder[name] for name in _NUMBERS)),
        checked_calibration(path, content["calibration"]),
        content["checkpoint_sha256"],
        content["weights_sha256"],
        multiple,
    )
