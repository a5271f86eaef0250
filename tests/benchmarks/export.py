"""An exported file against eager float32 PyTorch on a CPU, side by side: whole way from pixels to points, one image.

Weights are random: time does not depend on them, as long as there are peaks to decode. Prints a table, writes JSON.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from carcinosis_loc.export.metadata import Metadata
from carcinosis_loc.export.model import ExportedModel
from carcinosis_loc.export.trained import Trained
from carcinosis_loc.export.writing import onnx_model
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.models import HeatmapNet, HRNet

NETS = {
    "small": {"width": 8, "stem_width": 16, "stem_blocks": 1, "modules": (1, 1, 1), "blocks": 2},
    "W18": {"width": 18},
    "W32": {"width": 32},
}
CASES = [("small", (192, 192)), ("small", (360, 640)), ("W18", (360, 640)), ("W32", (720, 1280))]


def random_net(name):
    torch.manual_seed(0)
    net = HeatmapNet(HRNet(**NETS[name])).eval()
    torch.nn.init.normal_(net.head.weight, std=1.0)  # so that there are peaks to decode
    return net


def ways_of(name, size, threads, folder):
    """Pixels to points in each of the three."""
    net, decoder = random_net(name), PeakDecoder()
    path = Path(folder) / f"{name}.onnx"
    if not path.exists():
        metadata = Metadata("0", None, None, net.stride, 6.0, decoder, None, "")
        path.write_bytes(onnx_model(Trained(net, metadata)).SerializeToString())
    image = np.random.default_rng(0).integers(0, 256, (1, 3, *size), np.uint8)
    valid, pixels = np.ones((1, 1, *size), np.bool_), torch.from_numpy(image)
    runtimes = {kind: ExportedModel(path, kind, threads) for kind in ("onnxruntime", "openvino")}

    @torch.inference_mode()
    def eager():
        return decoder(net(pixels), net.stride)

    return {"eager": eager} | {kind: lambda model=model: model(image, valid) for kind, model in runtimes.items()}


def measure(name, size, threads, repeats, folder):
    """Median milliseconds of each way, taken in turn."""
    torch.set_num_threads(threads)
    ways = ways_of(name, size, threads, folder)
    times = {way: [] for way in ways}
    for repeat in tqdm(range(repeats + 1), desc=f"{name} {size[1]}x{size[0]}, {threads} threads", file=sys.stdout):
        for way, run in ways.items():
            began = time.perf_counter()
            run()
            if repeat:  # the first round warms up
                times[way].append(time.perf_counter() - began)
    return {way: 1000 * statistics.median(values) for way, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench_export.json"))
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="the small network alone")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, size in CASES[:2] if args.quick else CASES:
            for threads in args.threads:
                repeats = max(3, args.repeats // 5) if name == "W32" else args.repeats
                took = measure(name, size, threads, repeats, folder)
                rows.append({"net": name, "size": f"{size[1]}x{size[0]}", "threads": threads, "ms": took})
    machine = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    args.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    print("net    size      threads  eager, ms  onnxruntime, ms  openvino, ms  (eager / each)")
    for row in rows:
        eager, ort, vino = (row["ms"][way] for way in ("eager", "onnxruntime", "openvino"))
        print(
            f"{row['net']:<6} {row['size']:<9} {row['threads']:>7}  {eager:9.1f}  {ort:15.1f}  {vino:12.1f}  "
            f"({eager / ort:.2f}, {eager / vino:.2f})"
        )


if __name__ == "__main__":
    main()
