"""Target rendering, decoding and matching against NumPy and SciPy; post-processing of whole frames."""

import sys

import numpy as np
import plain
import torch
from timing import RADIUS_PX, SIGMA_PX, STRIDE, alternate, scattered
from tqdm import tqdm

from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder
from carcinosis_loc.metrics import match_curve
from carcinosis_loc.points import Points, map_size

SIZE, REPEATS = (384, 384), 9


def at(count, random, repeats):
    """Target rendering, decoding and matching at ``count`` points a frame."""
    frames, size = 8, map_size(SIZE, STRIDE)
    points = [scattered(count, SIZE, random) for _ in range(frames)]
    padded = torch.from_numpy(np.stack(points))
    labelled = torch.ones(padded.shape[:2], dtype=torch.bool)
    encoder, decoder = GaussianEncoder(SIGMA_PX / 2), PeakDecoder(score_floor=0.05, nms_radius_px=4.0, top_k=1000)
    target = encoder(padded, labelled, size, STRIDE)
    logits = torch.logit(0.9 * target + 0.02 * torch.rand(target.shape), eps=1e-6)
    array = logits.numpy()
    found = decoder(logits, STRIDE)
    truth = [Points(p) for p in points]

    def match_ours():
        for peaks, true in zip(found, truth, strict=True):
            match_curve(peaks, true, RADIUS_PX)

    def match_plain():
        for peaks, true in zip(found, truth, strict=True):
            plain.curve(peaks.xy, peaks.scores, true.xy, RADIUS_PX)

    pairs = {
        "targets": (
            lambda: encoder(padded, labelled, size, STRIDE),
            lambda: plain.targets(points, size, STRIDE, SIGMA_PX / 2),
        ),
        "decoding": (lambda: decoder(logits, STRIDE), lambda: plain.peaks(array, STRIDE, 0.05, 4.0)),
        "matching, all thresholds": (match_ours, match_plain),
    }
    rows = []
    for name, (ours, other) in tqdm(pairs.items(), desc=f"kernels, {count} points a frame", file=sys.stdout):
        took = alternate({"ours": ours, "plain": other}, repeats)
        ours_ms, plain_ms = (1000 * took[way] / frames for way in ("ours", "plain"))
        rows.append({"what": f"{name}, {count} points", "ours_ms": ours_ms, "plain_ms": plain_ms})
    return rows


def post_processing(size, frames, random, count=100):
    """From logits on the device to peaks on the host, 100 a frame."""
    points = torch.from_numpy(np.stack([scattered(count, size, random) for _ in range(frames)]))
    target = GaussianEncoder(SIGMA_PX / 2)(
        points, torch.ones(frames, count, dtype=torch.bool), map_size(size, STRIDE), STRIDE
    )
    logits = torch.logit(0.9 * target + 0.02 * torch.rand(target.shape), eps=1e-6)
    array, valid = logits.numpy(), torch.ones(logits.shape, dtype=torch.bool)
    decoder = PeakDecoder(score_floor=0.05)
    assert all(len(peaks) == count for peaks in decoder(logits, STRIDE, valid))
    ways = {"ours": lambda: decoder(logits, STRIDE, valid), "plain": lambda: plain.peaks(array, STRIDE, 0.05, 4.0)}
    took = alternate(ways, 40 if frames == 1 else 9)
    what = f"post-processing, 100 peaks, {size[1]} x {size[0]}, {frames} at once"
    return {"what": what, **{f"{way}_ms": 1000 * took[way] / frames for way in ways}}


def measure(folder):
    random = np.random.default_rng(0)
    torch.manual_seed(0)
    rows = at(36, random, REPEATS) + at(400, random, REPEATS // 3)
    return rows + [post_processing(size, frames, random) for size in ((360, 640), (720, 1280)) for frames in (1, 8)]
