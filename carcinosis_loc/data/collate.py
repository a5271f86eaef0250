"""Samples to a batch."""

from collections.abc import Sequence

import numpy as np
import torch

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.dataset import Sample


def collate(samples: Sequence[Sample]) -> Batch:
    """Stack samples of one size; points are filled up with zeros to the longest list.

    Raises:
        ValueError: the samples differ in size.
    """
    sizes = {sample.valid.shape for sample in samples}
    if len(sizes) > 1:
        raise ValueError(f"a batch must hold images of one size, not {sorted(sizes)}")
    most = max(len(sample.xy) for sample in samples)
    points = np.zeros((len(samples), most, 2), np.float32)
    labelled = np.zeros((len(samples), most), np.bool_)
    for row, sample in enumerate(samples):
        points[row, : len(sample.xy)] = sample.xy
        labelled[row, : len(sample.xy)] = True
    image = torch.from_numpy(np.stack([sample.image for sample in samples]))
    return Batch(
        image=image.permute(0, 3, 1, 2).contiguous(),
        valid=torch.from_numpy(np.stack([sample.valid for sample in samples]))[:, None],
        points=torch.from_numpy(points),
        labelled=torch.from_numpy(labelled),
        exhaustive=torch.tensor([bool(sample.frame.exhaustive) for sample in samples]),
        frames=[sample.frame for sample in samples],
        letterboxes=[sample.letterbox for sample in samples],
        views=[sample.view for sample in samples if sample.view is not None],
        dummy=all(sample.dummy for sample in samples),
    )
