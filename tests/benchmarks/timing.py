"""What the parts of the benchmark share: timing in turn, made-up points, the small network."""

import statistics
import time

import numpy as np
import torch

from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder
from carcinosis_loc.losses import CragAndTail
from carcinosis_loc.models import HeatmapNet, HRNet
from carcinosis_loc.module import PointModule
from carcinosis_loc.schedules import OneCycle

STRIDE, SIGMA_PX, RADIUS_PX = 4, 6.0, 6.0


def scattered(count, size, random, apart_px=9.0):
    """``count`` random points no two of which are nearer than ``apart_px`` where they fit."""
    kept = []
    for _ in range(200 * count):
        point = random.uniform((4, 4), (size[1] - 5, size[0] - 5))
        if all(np.hypot(*(point - other)) > apart_px for other in kept):
            kept.append(point)
        if len(kept) == count:
            break
    return np.array(kept, np.float32)


def alternate(ways, repeats):
    """Median seconds of CPU time of each way, taken in turn: what else runs on the machine hardly matters to it."""
    times = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            began = time.process_time()
            way()
            if repeat:  # the first round warms up
                times[name].append(time.process_time() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def small_module():
    torch.manual_seed(0)
    net = HeatmapNet(HRNet(width=8, stem_width=16, stem_blocks=1, modules=(1, 1, 1), blocks=2))
    return PointModule(
        net,
        CragAndTail(),
        PeakDecoder(score_floor=0.05),
        GaussianEncoder(SIGMA_PX),
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=1e-3),
        scheduler=OneCycle,
    )
