"""An exported file against eager float32 PyTorch on a CPU, in turn: the whole way from pixels to points, one image.

Eager is plain PyTorch, with no batch norm folded. Weights are random: time does not depend on them, as long as there
are peaks to decode.
"""

import sys

import numpy as np
import torch
from timing import alternate
from tqdm import tqdm

from carcinosis_loc.export.metadata import Metadata
from carcinosis_loc.export.model import ExportedModel
from carcinosis_loc.export.trained import Trained
from carcinosis_loc.export.writing import onnx_model
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.models import HeatmapNet, HRNet

NETS = {
    "small network": {"width": 8, "stem_width": 16, "stem_blocks": 1, "modules": (1, 1, 1), "blocks": 2},
    "W18": {"width": 18},
    "W32": {"width": 32},
}
CASES = [  # and repeats
    ("small network", (192, 192), 15),
    ("small network", (360, 640), 15),
    ("W18", (360, 640), 9),
    ("W32", (720, 1280), 3),
]
RUNTIMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def random_net(name):
    torch.manual_seed(0)
    net = HeatmapNet(HRNet(**NETS[name])).eval()
    torch.nn.init.normal_(net.head.weight, std=1.0)  # so that there are peaks to decode
    return net


def ways_of(name, size, path):
    """Pixels to points by eager PyTorch and by both runtimes, one thread each."""
    net, decoder = random_net(name), PeakDecoder()
    if not path.exists():
        metadata = Metadata("0", None, None, net.stride, 6.0, decoder, None, "")
        path.write_bytes(onnx_model(Trained(net, metadata)).SerializeToString())
    image = np.random.default_rng(0).integers(0, 256, (1, 3, *size), np.uint8)
    valid, pixels = np.ones((1, 1, *size), np.bool_), torch.from_numpy(image)

    @torch.inference_mode()
    def eager():
        return decoder(net(pixels), net.stride)

    runtimes = {kind: ExportedModel(path, kind, threads=1) for kind in RUNTIMES}
    return {"eager": eager} | {kind: lambda model=model: model(image, valid) for kind, model in runtimes.items()}


def measure(folder):
    """For each network and size both runtimes against eager PyTorch."""
    rows = []
    for name, (height, width), repeats in tqdm(CASES, desc="exported files", file=sys.stdout):
        took = alternate(ways_of(name, (height, width), folder / f"{name}.onnx"), repeats)
        for kind, runtime in RUNTIMES.items():
            what = f"exported, {name}, {width} x {height}, {runtime}"
            rows.append({"what": what, "ours_ms": 1000 * took[kind], "plain_ms": 1000 * took["eager"]})
    return rows
