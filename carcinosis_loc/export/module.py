"""An exported file in the place of a trained module, for ``carcloc predict``."""

from pathlib import Path
from typing import Any

import torch

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.detector import Detections, PointDetector
from carcinosis_loc.errors import InputError
from carcinosis_loc.export.model import ExportedModel, Runtime
from carcinosis_loc.export.reading import read_exported
from carcinosis_loc.heatmap import PeakDecoder

_IN_THE_GRAPH = ("score_floor", "nms_radius_px", "top_k")


class ExportedModule(PointDetector):
    """Predicts as the checkpoint does that the file was made of; nothing in it can be trained.

    Args:
        file: a file of ``carcloc export``.
        decoder: what the file says; only ``threshold`` may differ.
        match_radius_px: how far a peak may lie from the point that it finds, image pixels.
        runtime: what computes it, on the CPU.
        threads: how many it may use; null takes as many as PyTorch would.

    Raises:
        InputError: the file cannot be used; the decoder differs from the one that is in the file's graph.
    """

    def __init__(
        self,
        file: str,
        decoder: PeakDecoder,
        match_radius_px: float = 6.0,
        runtime: Runtime = "onnxruntime",
        threads: int | None = None,
    ) -> None:
        super().__init__()
        self.exported = ExportedModel(file, runtime, threads)
        for name in _IN_THE_GRAPH:
            given, kept = getattr(decoder, name), getattr(self.exported.metadata.decoder, name)
            if given != kept:
                remedy = f"export anew with --top-k {given}" if name == "top_k" else "predict with the checkpoint"
                raise InputError(f"{file}: decodes with {name} {kept}, which cannot be changed to {given}; {remedy}")
        self.decoder = decoder
        self.match_radius_px = match_radius_px
        self.calibration = self.exported.metadata.calibration
        self.exported_from = Path(file)
        self.exported_checkpoint_sha256 = self.exported.metadata.checkpoint_sha256

    @property
    def stride(self) -> int:
        """Network pixels a cell of the logits."""
        return self.exported.metadata.stride

    def detect(self, batch: Batch) -> Detections:
        """Peaks of a batch in image pixels, all that lie above the score floor."""
        found = self.exported(batch.image.cpu().numpy(), batch.on_image().cpu().numpy())
        located = [box.peaks_to_image(peaks) for peaks, box in zip(found.peaks, batch.letterboxes, strict=True)]
        return Detections(batch.frames, located, torch.from_numpy(found.logits))


def exported_settings(path: Path) -> dict[str, Any]:
    """What an exported file says of its making, as a config for ``ExportedModule`` and the data.

    Raises:
        InputError: see ``read_exported``.
    """
    _, metadata = read_exported(path)
    decoder = {name: getattr(metadata.decoder, name) for name in ("threshold", *_IN_THE_GRAPH)}
    model = {
        "file": str(path),
        "decoder": {"class_path": "carcinosis_loc.heatmap.PeakDecoder", "init_args": decoder},
        "match_radius_px": metadata.match_radius_px,
    }
    size = None if metadata.image_size is None else list(metadata.image_size)
    return {
        "trainer": {"accelerator": "cpu"},
        "model": model,
        "data": {"image_size": size, "category": metadata.category},
    }
