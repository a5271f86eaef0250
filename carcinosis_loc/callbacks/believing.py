"""What a teacher believes of what a network finds beside the labels."""

from collections.abc import Iterable, Mapping

import numpy as np

from carcinosis_loc.data import Additions
from carcinosis_loc.points import Frame, Peaks

Beside = Mapping[int, Peaks]  # by image id

_FLOOD = 3.0  # times as many peaks a frame as in the round before
_FLOOD_BY_ANOTHER_RULE = 10.0  # the same where the rule of the threshold, or the network, has changed


def believed(beside: Beside, sure: float, most: int | None = None) -> dict[int, Additions]:
    """The peaks that are taken for objects and those that are left out of the loss, by image id.

    Args:
        beside: all that are one or the other, see ``find_beside``.
        sure: score from which a peak is taken for an object; infinity takes none.
        most: how many may be, on all frames together: those of the highest scores. Others that would be are passed
            over, as if nothing had been found there. None bounds nothing.
    """
    scores = {image_id: peaks.scores[peaks.scores >= sure] for image_id, peaks in beside.items()}
    keep = {image_id: len(of_frame) for image_id, of_frame in scores.items()}
    if most is not None and sum(keep.values()) > most:
        frame = np.repeat(list(scores), list(keep.values()))
        best = np.argsort(-np.concatenate(list(scores.values())), kind="stable")[:most]  # of equal scores the first
        keep = {image_id: int((frame[best] == image_id).sum()) for image_id in scores}
    return {
        image_id: Additions(peaks.xy[: keep[image_id]], peaks.xy[peaks.scores < sure])
        for image_id, peaks in beside.items()
    }


def most_after(known: Mapping[int, Additions], frames: Iterable[Frame], growth: float) -> int | None:
    """How many places may be sure next; None if none are yet, so that any number may.

    Args:
        known: what is believed now.
        frames: of the training.
        growth: objects then over objects now, labels included; of the frames that are not exhaustive.
    """
    before, _ = count_places(known)
    labels = sum(len(frame.points) for frame in frames if not frame.exhaustive)
    return int(growth * (labels + before)) - labels if before else None


def floods(peaks: float, before: float) -> bool:
    """Whether so many peaks a frame after so many, of one network and by one rule, are a flood."""
    return peaks > _FLOOD * before + 1


def floods_by_another_rule(peaks: float, before: float) -> bool:
    """The same where the rule of the threshold, or the network, has changed, so that a few times as many may be."""
    return before >= 1 and peaks > _FLOOD_BY_ANOTHER_RULE * before


def peaks_a_frame(beside: Beside) -> float:
    """Peaks a frame."""
    return sum(map(len, beside.values())) / max(1, len(beside))


def count_places(known: Mapping[int, Additions]) -> tuple[int, int]:
    """How many places are sure, and how many are not."""
    return sum(len(one.sure) for one in known.values()), sum(len(one.unsure) for one in known.values())


def told(known: Mapping[int, Additions], beside: Beside) -> str:
    """What is believed of what was found, in words, a frame."""
    n_sure, n_unsure = count_places(known)
    passed_over = sum(map(len, beside.values())) - n_sure - n_unsure
    parts = [
        (n_sure, "points a frame added"),
        (n_unsure, "left out of the loss"),
        (passed_over, "too many, passed over"),
    ]
    return ", ".join(f"{count / max(1, len(known)):.1f} {what}" for count, what in parts[: 3 if passed_over else 2])
