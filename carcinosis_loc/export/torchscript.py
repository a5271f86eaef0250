"""From a checkpoint to a TorchScript file: for those who have PyTorch and nothing else.

TorchScript is the older of PyTorch's two formats. The newer one, torch.export, binds the network to a range of sizes (a
guard refuses images with a side of up to 32 px), holds no loop that ends when suppression is done, and its files are
for the version that wrote them and later ones.
"""

import contextlib
import copy
import hashlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from carcinosis_loc.export.comparing import Answers
from carcinosis_loc.export.metadata import KEY
from carcinosis_loc.export.trained import Trained
from carcinosis_loc.heatmap import PeakDecoder, cells_of, maxima
from carcinosis_loc.models import HeatmapNet
from carcinosis_loc.models.inference import folded
from carcinosis_loc.points import map_to_image


class PixelsToPoints(nn.Module):
    """The whole way, as TorchScript can compile it; what is said of an exported file's inputs and outputs holds here.

    Args:
        core: backbone and head, traced or not.
        net: the network that they are of.
        decoder: whose peaks are found.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, core: nn.Module, net: HeatmapNet, decoder: PeakDecoder) -> None:
        super().__init__()
        self.core = core
        self.register_buffer("mean", net.mean.detach().clone())
        self.register_buffer("std", net.std.detach().clone())
        self.stride, self.multiple = net.stride, net.multiple
        self.floor, self.top_k, self.radius_px = decoder.floor, decoder.top_k, float(decoder.nms_radius_px)
        self.first_px = float(map_to_image(np.zeros(1), net.stride)[0])

    def forward(self, image: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Points, scores, count and logits of a batch."""
        height, width = image.shape[2], image.shape[3]
        normalised = (image.to(torch.float32) - self.mean) / self.std
        padded = F.pad(normalised, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        logits = self.core(padded.contiguous(memory_format=torch.channels_last))
        cells = cells_of(valid, self.stride)
        logits = logits[:, :, : cells.shape[2], : cells.shape[3]].contiguous()
        points, scores, count = self.decode(logits, cells)
        return points, scores, count, logits

    def decode(self, logits: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Peaks of a batch, see ``PeakDecoder``; tests/export holds the two against each other."""
        batch, rows, columns = logits.shape[0], logits.shape[2], logits.shape[3]
        flat, chosen = logits.flatten(1), maxima(logits, self.floor, cells).flatten(1)
        # The few cells with a maximum in any image, ranked in each; of equal ones the first in reading order.
        somewhere = chosen.any(0).nonzero()[:, 0]
        ranked = flat.masked_fill(~chosen, float("-inf"))[:, somewhere]
        order = torch.sort(ranked, stable=True, dim=1, descending=True)[1][:, : self.top_k]
        best, at = ranked.gather(1, order), somewhere[order]
        row = torch.div(at, columns, rounding_mode="floor")
        column = at - row * columns
        x = self.summit(flat, at - column, column, 1, columns)
        y = self.summit(flat, column, row, columns, rows)
        place = (torch.stack([x, y], dim=2) * self.stride + self.first_px).to(torch.float32)
        score = best.to(torch.float64).sigmoid().to(torch.float32)
        keep = self.thinned(best > float("-inf"), place.to(torch.float64))
        # Close the gaps; -1 behind the last.
        front = torch.sort((~keep).to(torch.int64), stable=True, dim=1)[1]
        place = place.gather(1, front.unsqueeze(2).expand(-1, -1, 2))
        count = keep.sum(1)
        kept = torch.arange(keep.shape[1], device=keep.device).unsqueeze(0) < count.unsqueeze(1)
        most = min(self.top_k, rows * columns)
        points = torch.full([batch, most, 2], -1.0, device=logits.device)
        scores = torch.full([batch, most], -1.0, device=logits.device)
        points[:, : keep.shape[1]] = place.masked_fill(~kept.unsqueeze(2), -1.0)
        scores[:, : keep.shape[1]] = score.gather(1, front).masked_fill(~kept, -1.0)
        return points, scores, count

    def summit(self, flat: Tensor, base: Tensor, at: Tensor, step: int, length: int) -> Tensor:
        """``heatmap.refine`` along one axis."""
        cell = at.to(torch.float64)
        if length < 3:
            return cell
        middle = at.clamp(1, length - 2)
        left = F.logsigmoid(flat.gather(1, base + (middle - 1) * step).to(torch.float64))
        centre = F.logsigmoid(flat.gather(1, base + middle * step).to(torch.float64))
        right = F.logsigmoid(flat.gather(1, base + (middle + 1) * step).to(torch.float64))
        curvature = left - 2 * centre + right
        bent = curvature < 0
        offset = 0.5 * (left - right) / torch.where(bent, curvature, torch.full_like(curvature, -1.0))
        return torch.minimum(torch.maximum(torch.where(bent, middle + offset, cell), cell - 0.5), cell + 0.5)

    def thinned(self, found: Tensor, place: Tensor) -> Tensor:
        """Which peaks stay: the one solution of "a peak stays if no better one near it stays", for all images at once.

        From all peaks on, each round settles at least one more.
        """
        if self.radius_px <= 0:
            return found
        away = (place.unsqueeze(2) - place.unsqueeze(1)).square().sum(3)
        rank = torch.arange(found.shape[1], device=found.device)
        near = (away <= self.radius_px**2) & (rank.unsqueeze(1) < rank.unsqueeze(0))
        keep, unsettled = found, True
        while unsettled:
            settled = found & ~(keep.unsqueeze(2) & near).any(1)
            unsettled = not torch.equal(settled, keep)
            keep = settled
        return keep


def torchscript_file(trained: Trained) -> bytes:
    """The whole way from pixels to points as the content of a TorchScript file, with its description.

    The network is traced at one size, as none is written in convolutions and the like; the rest is compiled.
    """
    net = folded(trained.net).requires_grad_(requires_grad=False)
    core = nn.Sequential(copy.deepcopy(net.backbone), copy.deepcopy(net.head)).eval()
    example = torch.zeros(2, 3, 2 * net.multiple, 3 * net.multiple).contiguous(memory_format=torch.channels_last)
    with _silence(), torch.no_grad():
        traced = torch.jit.trace(core, example, check_trace=False)  # type: ignore[no-untyped-call]  # it is held against the network afterwards
        whole: Any = torch.jit.script(PixelsToPoints(traced, net, trained.metadata.decoder).eval())
        digest = hashlib.sha256()
        for name, tensor in whole.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
        metadata = replace(trained.metadata, weights_sha256=digest.hexdigest())
        content = io.BytesIO()
        torch.jit.save(whole, content, _extra_files={KEY: metadata.text()})
    return _without_sources(content.getvalue())


def answers(path: Path) -> Answers:
    """What a file gives that was just written here. Never for a file of anybody else: what is in it runs."""
    with _silence():
        whole: Any = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]

    def logits(image: np.ndarray[Any, Any], valid: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            found = whole(torch.from_numpy(image), torch.from_numpy(valid))[3]
        return np.asarray(found)

    return logits


def _without_sources(content: bytes) -> bytes:
    """Where the code lay on the machine that exported it is nobody's business; it stands in parts of their own."""
    reader: Any = torch._C.PyTorchFileReader(io.BytesIO(content))
    out = io.BytesIO()
    writer: Any = torch._C.PyTorchFileWriter(out)
    for name in reader.get_all_records():
        if not name.endswith(".debug_pkl") and name not in ("version", "byteorder", ".data/serialization_id"):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    return out.getvalue()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """TorchScript speaks of its own deprecation, and tracing of Python values that are constants here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
