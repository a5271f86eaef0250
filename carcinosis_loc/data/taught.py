"""What callbacks have found out about the training frames since the training began."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from carcinosis_loc.data.additions import Additions, with_additions
from carcinosis_loc.data.batch import Batch


@dataclass(frozen=True)
class Taught:
    """What training batches get beside the labels.

    Attributes:
        additions: places that nobody labelled, by image id (``Teacher``).
        match_radius_px: how far a place may lie from a label that is the same object, image pixels.
        offsets: what the loss adds to a frame's logits, by image id (``LabelChance``).
    """

    additions: Mapping[int, Additions] = field(default_factory=dict)
    match_radius_px: float = 0.0
    offsets: Mapping[int, float] = field(default_factory=dict)

    def on(self, batch: Batch) -> Batch:
        """The batch with the additions; where there are none, with the offsets, 0 for a frame that has none."""
        if self.additions:  # they make up for the labels that lack, which is what the offsets are for
            return with_additions(batch, self.additions, self.match_radius_px)
        if not self.offsets:
            return batch
        return replace(batch, offset=torch.tensor([self.offsets.get(frame.image_id, 0.0) for frame in batch.frames]))
