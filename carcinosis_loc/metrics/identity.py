"""Are the identities right? IDF1 and counts of unique objects. NumPy and SciPy only.

IDF1 is that of Ristani et al. 2016 (arXiv:1609.01775): truth and predicted tracks are paired one to one over the whole
video so that as many sightings as possible agree, and F1 is taken over sightings under that one pairing. A track that
is broken in two, or two that are merged, lose the sightings of the shorter part.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from carcinosis_loc.metrics.arrays import Float64, Int64
from carcinosis_loc.metrics.matching import candidate_pairs


@dataclass(frozen=True, eq=False)
class Sightings:
    """Points of a video with their identities.

    Attributes:
        frame: ``(N,)``.
        track_id: ``(N,)``; a track is seen once in a frame at most.
        xy: ``(N, 2)``, image pixels.

    Raises:
        ValueError: lengths that differ, or a track that is twice in a frame.
    """

    frame: Int64
    track_id: Int64
    xy: Float64

    def __post_init__(self) -> None:
        if not len(self.frame) == len(self.track_id) == len(self.xy):
            raise ValueError("frames, track ids and points must be as many")
        pairs = np.stack([self.frame, self.track_id], axis=1)
        rows, counts = np.unique(pairs, axis=0, return_counts=True)
        if len(counts) and counts.max() > 1:
            frame, track = rows[counts.argmax()].tolist()
            raise ValueError(f"track_id {track} is twice in frame {frame}")


@dataclass(frozen=True)
class IdentityScores:
    """Sums over videos; see ``identity_scores``. 0/0 is 0.

    Attributes:
        n_agreed: sightings that agree under the best pairing of tracks.
        n_predicted: predicted sightings.
        n_truth: true sightings.
        unique_predicted: predicted tracks with enough sightings to count.
        unique_truth: true tracks.
        count_error: the two counts' difference without its sign, summed over videos.
    """

    n_agreed: int = 0
    n_predicted: int = 0
    n_truth: int = 0
    unique_predicted: int = 0
    unique_truth: int = 0
    count_error: int = 0

    @property
    def idf1(self) -> float:
        """F1 of identities."""
        total = self.n_predicted + self.n_truth
        return 2 * self.n_agreed / total if total else 0.0

    @property
    def relative_count_error(self) -> float:
        """``count_error`` over the true count."""
        return self.count_error / self.unique_truth if self.unique_truth else 0.0

    def __add__(self, other: "IdentityScores") -> "IdentityScores":
        return IdentityScores(
            self.n_agreed + other.n_agreed,
            self.n_predicted + other.n_predicted,
            self.n_truth + other.n_truth,
            self.unique_predicted + other.unique_predicted,
            self.unique_truth + other.unique_truth,
            self.count_error + other.count_error,
        )


def identity_scores(
    predicted: Sightings,
    truth: Sightings,
    match_radius_px: float,
    min_sightings: int = 1,
    uncounted: Collection[int] = (),
) -> IdentityScores:
    """Score one video.

    Args:
        predicted: what a tracker says.
        truth: what there is.
        match_radius_px: image pixels; a predicted sighting farther from the true one does not agree with it.
        min_sightings: predicted tracks with fewer sightings do not count as an object.
        uncounted: ids of predicted tracks that do not count as an object either, however often they were seen.
    """
    ids, lengths = np.unique(predicted.track_id, return_counts=True)
    counts = (lengths >= min_sightings) & ~np.isin(ids, list(uncounted))
    found, there = int(counts.sum()), len(np.unique(truth.track_id))
    return IdentityScores(
        n_agreed=_agreed(predicted, truth, match_radius_px),
        n_predicted=len(predicted.frame),
        n_truth=len(truth.frame),
        unique_predicted=found,
        unique_truth=there,
        count_error=abs(found - there),
    )


def _agreed(predicted: Sightings, truth: Sightings, match_radius_px: float) -> int:
    """The most sightings that a one-to-one pairing of tracks can make agree."""
    ids, rows = np.unique(predicted.track_id, return_inverse=True)
    true_ids, columns = np.unique(truth.track_id, return_inverse=True)
    together = np.zeros((len(ids), len(true_ids)), np.int64)
    for frame in np.intersect1d(predicted.frame, truth.frame):
        here, there = np.flatnonzero(predicted.frame == frame), np.flatnonzero(truth.frame == frame)
        pairs, _ = candidate_pairs(
            predicted.xy[here].astype(np.float32), truth.xy[there].astype(np.float32), match_radius_px
        )
        np.add.at(together, (rows[here[pairs[:, 0]]], columns[there[pairs[:, 1]]]), 1)
    some = together.any(1)  # tracks of false peaks alone are many
    best = linear_sum_assignment(together[some], maximize=True)
    return int(together[some][best].sum())
