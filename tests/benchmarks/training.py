"""Training: a Lightning step against a bare loop, and what a validation epoch spends outside the network."""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Callback, Trainer
from timing import STRIDE, scattered, small_module
from torch.utils.data import DataLoader
from tqdm import tqdm

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.heatmap import cells_of
from carcinosis_loc.points import Frame, Letterbox, Points
from carcinosis_loc.schedules import OneCycle

STEPS, ROUNDS = 14, 4


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
    """CPU time from the end of one training batch to the end of the next."""

    def __init__(self):
        self.ends = []

    def on_train_batch_end(self, *_):
        self.ends.append(time.process_time())


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
        ends.append(time.process_time())
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
            ends.append(time.process_time())

        def on_validation_epoch_end(self, *_):
            ends.append(time.process_time())

    def before(*_):
        inside.append(-time.process_time())

    def after(*_):
        inside[-1] += time.process_time()

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


def measure(folder):
    random = np.random.default_rng(0)
    return [training_step(random, STEPS, ROUNDS, folder), validation_share(random, folder)]
