"""What callbacks have found out about the training frames since the training began."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from carcinosis_loc.data.additions import Additions, with_additions
from carcinosis_loc.data.batch import Batch


@dataclass(frozen=True)
class Taught:
    """What training batches get beside the labels.

    Attributes:
        additions: places that nobody labelled, by image id (``Teacher``).
        match_radius_px: how far a place may lie from a label that is the same object, image pixels.
        offset: what the loss adds to a batch's logits (``LabelChance``, ``ConspicuousFirst``); None adds nothing.
    """

    additions: Mapping[int, Additions] = field(default_factory=dict)
    match_radius_px: float = 0.0
    offset: Callable[[Batch], Tensor] | None = None

    def on(self, batch: Batch) -> Batch:
        """The batch with the additions; where there are none, with the offset."""
        if self.additions:  # they make up for the labels that lack, which is what the offset is for
            return with_additions(batch, self.additions, self.match_radius_px)
        return batch if self.offset is None else replace(batch, offset=self.offset(batch))
