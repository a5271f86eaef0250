"""An exported file that is open, in one of two runtimes."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from carcinosis_loc.errors import InputError
from carcinosis_loc.export.reading import needed, read_exported
from carcinosis_loc.heatmap import cells_of
from carcinosis_loc.models.tiles import Tile, logits_in_tiles, tiles
from carcinosis_loc.points import Float32, Peaks, Size, map_size

logger = logging.getLogger(__name__)

Runtime = Literal["onnxruntime", "openvino"]
Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
_Run = Callable[[Pixels, Mask], list[npt.NDArray[Any]]]
_OUTPUTS = ["points", "scores", "count", "logits"]


class Answer(NamedTuple):
    """What an exported model says of a batch: the peaks of each image in network pixels, and the logits."""

    peaks: list[Peaks]
    logits: Float32


class ExportedModel:
    """Points of batches, without PyTorch's network: all that is computed lies in the file.

    Args:
        path: a file of ``carcloc export``.
        runtime: what computes it, on the CPU.
        threads: how many it may use; None takes as many as PyTorch would.

    Attributes:
        metadata: what the file says of itself.

    Raises:
        InputError: the file cannot be used, or the runtime is missing or refuses it.
    """

    def __init__(self, path: str | Path, runtime: Runtime = "onnxruntime", threads: int | None = None) -> None:
        self.path = Path(path)
        content, self.metadata = read_exported(self.path)
        if threads is not None and threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        start = _onnxruntime if runtime == "onnxruntime" else _openvino
        with self._blamed(runtime):
            self._run: _Run = start(content, self.path, threads or torch.get_num_threads())
        self._runtime = runtime
        self.cut_above()

    def cut_above(self, tile_px: int | None = 2048, margin_px: int = 256) -> None:
        """From now on see an image with a side above ``tile_px`` in tiles, see ``TiledNet``; None: no image.

        A file of an earlier version does not say where tiles may begin: it sees any image as a whole, and a warning
        says so.

        Raises:
            InputError: see ``tiles``.
        """
        if tile_px is not None and self.metadata.multiple is not None:
            try:
                next(tiles((1, 1), tile_px, margin_px, self.metadata.multiple))
            except ValueError as error:
                raise InputError(f"{self.path}: {error}") from error
        self._tile_px, self._margin_px = tile_px, margin_px

    def __call__(self, image: Pixels, valid: Mask) -> Answer:
        """Peaks of a batch, all above the score floor.

        Args:
            image: ``(B, 3, H, W)``, uint8, RGB.
            valid: ``(B, 1, H, W)``, bool; False on padding.
        """
        with self._blamed(self._runtime):
            cuts = self._cuts((image.shape[2], image.shape[3]))
            return self._whole(image, valid) if cuts is None else self._in_tiles(image, valid, cuts)

    def _cuts(self, size: Size) -> Iterator[Tile] | None:
        if self._tile_px is None or max(size) <= self._tile_px:
            return None
        if self.metadata.multiple is not None:
            return tiles(size, self._tile_px, self._margin_px, self.metadata.multiple)
        logger.warning(
            "%s: was exported by an earlier version, and cannot be given images above %d px in tiles: they are seen as "
            "a whole, which takes memory; export it anew",
            self.path,
            self._tile_px,
        )
        self._tile_px = None  # said once
        return None

    def _whole(self, image: Pixels, valid: Mask) -> Answer:
        points, scores, count, logits = self._checked(image, valid)
        falling = np.minimum.accumulate(scores, axis=1)  # vectorised sigmoids may err by the last bit
        peaks = [Peaks(xy[:n], score[:n]) for xy, score, n in zip(points, falling, count, strict=True)]
        return Answer(peaks, logits)

    def _in_tiles(self, image: Pixels, valid: Mask, cuts: Iterator[Tile]) -> Answer:
        """The graph gives the logits of each tile; their peaks are found on the whole map, as the graph would."""

        def logits_of(window: Tensor) -> Tensor:
            nowhere = np.zeros((len(window), 1, *window.shape[2:]), np.bool_)  # no peaks of a tile's own
            return torch.from_numpy(self._checked(window.numpy(), nowhere)[3])

        stride = self.metadata.stride
        logits = logits_in_tiles(logits_of, torch.from_numpy(image), stride, cuts)
        peaks = self.metadata.decoder(logits, stride, cells_of(torch.from_numpy(valid), stride))
        return Answer(peaks, logits.numpy())

    def _checked(self, image: Pixels, valid: Mask) -> list[npt.NDArray[Any]]:
        """What the graph gives; its map must be as fine as the file says, else points would lie at wrong places."""
        outputs = self._run(np.ascontiguousarray(image), np.ascontiguousarray(valid))
        stride, given = self.metadata.stride, outputs[3].shape[2:]
        if given != map_size((image.shape[2], image.shape[3]), stride):
            raise InputError(
                f"{self.path}: gives a map of {given[1]} x {given[0]} cells for {image.shape[3]} x {image.shape[2]} "
                f"pixels, which is not the stride of {stride} that it says; it was changed: export it anew"
            )
        return outputs

    @contextlib.contextmanager
    def _blamed(self, runtime: str) -> Iterator[None]:
        """Whatever the runtime does not like is the file's fault, or the runtime is too old for it."""
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise InputError(f"{self.path}: {runtime} cannot run it ({reason}); upgrade it, or export anew") from error


def _onnxruntime(content: bytes, path: Path, threads: int) -> _Run:
    runtime = needed("onnxruntime", path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what matters is raised
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(image: Pixels, valid: Mask) -> list[npt.NDArray[Any]]:
        return list(session.run(_OUTPUTS, {"image": image, "valid": valid}))

    return run


@contextlib.contextmanager
def _untold() -> Iterator[None]:
    """OpenVINO tells Google Analytics of its import, unless its package for that is missing; no variable stops it."""
    told = "openvino_telemetry"
    if told in sys.modules:
        yield
        return
    sys.modules[told] = None  # type: ignore[assignment]  # an import of it fails now, and OpenVINO does without
    try:
        yield
    finally:
        del sys.modules[told]


def _openvino(content: bytes, path: Path, threads: int) -> _Run:
    with _untold():
        runtime = needed("openvino", path)
    core = runtime.Core()
    # Its default is half precision where the processor has it: not the same points.
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(content), "CPU", options)

    def run(image: Pixels, valid: Mask) -> list[npt.NDArray[Any]]:
        found = compiled({"image": image, "valid": valid})
        return [np.array(found[name]) for name in _OUTPUTS]

    return run
