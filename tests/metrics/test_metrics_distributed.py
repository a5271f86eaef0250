"""Two processes, uneven shards, an empty one: the same bits as one process."""

import warnings

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from slow_matching import frame_of

from carcinosis_loc.metrics import PointF1, SparsePointMetrics
from carcinosis_loc.points import Peaks

N_FRAMES = 7
SHARDS = {"uneven": [[0, 2, 3, 5, 6], [1, 4]], "empty": [[], [3, 1, 0, 2, 6, 5, 4]]}


def pairs():
    random = np.random.default_rng(3)
    for n in range(N_FRAMES):
        xy = random.uniform(0, 60, (5 * n, 2)).astype(np.float32)
        peaks = np.concatenate([xy + random.normal(0, 2, xy.shape), random.uniform(0, 60, (10, 2))])
        scores = -np.sort(-random.random(len(peaks)))
        yield Peaks(random.permutation(peaks), scores), frame_of(xy, image_id=n)


def figures(indices):
    """Every figure and the curve, over the frames of this process and those of the others."""
    every = list(pairs())
    out = {}
    for metric in (PointF1(2.5, 0.5, (1.0, 4.0)), SparsePointMetrics(2.5, 0.5)):
        for index in indices:
            metric.update([every[index][0]], [every[index][1]])
        out |= metric.compute()
        if isinstance(metric, PointF1):
            out |= {f"curve_{name}": torch.from_numpy(value) for name, value in vars(metric.curve).items()}
        else:
            frames = metric.labelled_frames()
            out |= {f"frames_{name}": torch.from_numpy(value) for name, value in frames._asdict().items()}
    return out


def work(rank, folder):
    warnings.simplefilter("ignore")  # torchmetrics warns where a process has counted nothing
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    results = {name: figures(shards[rank]) for name, shards in SHARDS.items()}
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_give_the_bits_of_one(tmp_path):
    expected = figures(range(N_FRAMES))
    assert 0 < expected["f1"] < 1
    mp.spawn(work, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        results = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert results.keys() == SHARDS.keys()
        for result in results.values():
            assert result.keys() == expected.keys()
            for name, value in expected.items():
                assert torch.equal(result[name], value), name
