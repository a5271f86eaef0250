"""``make bench``: our code against the plain way, in one run; writes bench.json and prints a table.

Every row is a ratio of two times taken side by side, alternately, on the same inputs; the median of the repeats.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import plain
import torch
from lightning.pytorch import Callback, Trainer
from torch.utils.data import DataLoader
from tqdm import tqdm

from carcinosis_loc.cli import be_quiet_and_orderly
from carcinosis_loc.data.batch import Batch
from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder, cells_of
from carcinosis_loc.losses import CragAndTail
from carcinosis_loc.metrics import match_curve
from carcinosis_loc.models import HeatmapNet, HRNet
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Letterbox, Points, map_size
from carcinosis_loc.schedules import OneCycle

SIZE, STRIDE, SIGMA_PX, RADIUS_PX = (384, 384), 4, 6.0, 6.0


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
    """Median seconds of each way, taken in turn."""
    times = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def kernels(count, random, repeats):
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


def batch_of(frames, size, random, exhaustive=False):
    points = np.stack([scattered(36, size, random, 6.0) for _ in range(frames)])
    known = [
        Frame(i, f"{i}.png", Path(f"{i}.png"), size, Points(p), exhaustive=exhaustive) for i, p in enumerate(points)
    ]
    return Batch(
        image=torch.randint(0, 256, (frames, 3, *size), dtype=torch.uint8),
        valid=torch.ones(frames, 1, *size, dtype=torch.bool),
        points=torch.from_numpy(points),
        labelled=torch.ones(frames, points.shape[1], dtype=torch.bool),
        exhaustive=torch.full((frames,), exhaustive),
        frames=known,
        letterboxes=[Letterbox.fit(size, None) for _ in range(frames)],
        views=[],
    )


class StepTimes(Callback):
    """Wall time from the end of one training batch to the end of the next."""

    def __init__(self):
        self.ends = []

    def on_train_batch_end(self, *_):
        self.ends.append(time.perf_counter())


def lightning_steps(batch, steps, folder):
    times = StepTimes()
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        limit_val_batches=0,
        callbacks=[times],
        default_root_dir=folder,
    )
    trainer.fit(small_module(), DataLoader([batch] * steps, batch_size=None))
    return list(np.diff(times.ends)[2:])


def bare_steps(batch, steps):
    module = small_module().train()
    optimizer = torch.optim.AdamW(module.net.parameters(), lr=1e-3)
    schedule = OneCycle(optimizer, steps)
    ends = []
    for _ in range(steps):
        logits = module.net(batch.image)
        target = module.encoder(batch.points, batch.labelled, tuple(logits.shape[-2:]), STRIDE)
        loss = module.loss(logits, target, cells_of(batch.valid, STRIDE))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        ends.append(time.perf_counter())
    return list(np.diff(ends)[2:])


def training_step(random, steps, rounds, folder):
    """A Lightning step against a bare loop, in alternating rounds."""
    batch = batch_of(8, (192, 192), random)
    ours, bare = [], []
    for _ in tqdm(range(rounds), desc="training step", file=sys.stdout):
        ours += lightning_steps(batch, steps, folder)
        bare += bare_steps(batch, steps)
    return {
        "what": "training step, 8 frames of 192 px",
        "ours_ms": 1000 * statistics.median(ours),
        "plain_ms": 1000 * statistics.median(bare),
    }


def validation_share(random, folder):
    """Share of a validation epoch that is not the network's forward pass."""
    module, inside, ends = small_module(), [], []

    class Ends(Callback):
        def on_validation_epoch_start(self, *_):
            ends.append(time.perf_counter())

        def on_validation_epoch_end(self, *_):
            ends.append(time.perf_counter())

    def before(*_):
        inside.append(-time.perf_counter())

    def after(*_):
        inside[-1] += time.perf_counter()

    module.net.register_forward_pre_hook(before)
    module.net.register_forward_hook(after)
    torch.nn.init.normal_(module.net.head.weight, std=1.0)  # so that there are peaks to decode and match
    torch.nn.init.zeros_(module.net.head.bias)
    batches = [batch_of(8, (192, 192), random, exhaustive=True) for _ in range(12)]
    options = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu", "enable_model_summary": False}
    Trainer(callbacks=[Ends()], default_root_dir=folder, **options).validate(
        module, DataLoader(batches, batch_size=None), verbose=False
    )
    total = ends[-1] - ends[0]
    return {
        "what": "validation epoch outside the network",
        "share": 1 - sum(inside) / total,
        "peaks_per_frame": module.results["peaks_per_frame"],
        "frames": 96,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench.json"))
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=14)
    args = parser.parse_args()
    be_quiet_and_orderly()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        rows = [training_step(random, args.steps, args.rounds, folder)]
        rows += kernels(36, random, args.repeats) + kernels(400, random, max(2, args.repeats // 3))
        share = validation_share(random, folder)
    for row in rows:
        row["ratio"] = row["ours_ms"] / row["plain_ms"]
    machine = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    args.out.write_text(json.dumps({"machine": machine, "rows": rows, "validation": share}, indent=2) + "\n")
    width = max(len(row["what"]) for row in rows)
    print(f"{'':<{width}}  {'ours, ms':>10}  {'plain, ms':>10}  ours/plain   (from targets on: for one frame)")
    for row in rows:
        print(f"{row['what']:<{width}}  {row['ours_ms']:10.3f}  {row['plain_ms']:10.3f}  {row['ratio']:10.3f}")
    print(f"{share['what']}: {100 * share['share']:.1f} % ({share['peaks_per_frame']:.0f} peaks a frame above 0.5)")
    print(f"written: {args.out}")


if __name__ == "__main__":
    main()
