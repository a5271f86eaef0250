"""Whether the arguments of the data, and the training frames, make sense together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from carcinosis_loc.annotations.images import MOST_PIXELS
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Frame

_LEAST = dict.fromkeys(("batch_size", "eval_batch_size", "samples_per_epoch", "asked_per_frame"), 1)
_LEAST |= dict.fromkeys(("num_workers", "cache_mb", "patience_s", "whole_share"), 0)


def check_numbers(given: Mapping[str, Any]) -> None:
    """Whether each number lies in its range.

    Args:
        given: the attributes of a ``PointDataModule`` by name.

    Raises:
        InputError: one does not; or ``exhaustive_splits`` holds a name that is none.
    """
    for name, minimum in _LEAST.items():
        if given[name] is not None and not given[name] >= minimum:
            raise InputError(f"--data.{name} must be at least {minimum}, not {given[name]}")
    if given["whole_share"] is not None and not given["whole_share"] < 1:
        raise InputError(f"--data.whole_share must be below 1, not {given['whole_share']}")
    height, width = given["image_size"] or (1, 1)
    if min(height, width) < 1 or height * width > MOST_PIXELS:
        raise InputError(f"--data.image_size must be [height, width] in pixels, not {[height, width]}")
    unknown = sorted(set(given["exhaustive_splits"]) - {"train", "val", "test"})
    if unknown:
        raise InputError(f"--data.exhaustive_splits may hold train, val and test, not {', '.join(unknown)}")


def check_sizes(frames: Iterable[Frame], json_path: str | None, resized: bool) -> None:
    """Whether training frames of different sizes fit into one batch.

    Raises:
        InputError: they are neither ``resized`` nor cropped, and differ.
    """
    sizes = sorted({frame.size for frame in frames})
    if not resized and len(sizes) > 1:
        raise InputError(
            f"{json_path}: images differ in size ({sizes[0][1]} x {sizes[0][0]} to {sizes[-1][1]} x "
            f"{sizes[-1][0]}); set --data.image_size, or crop_size_px of data.train_transform"
        )


def in_full(frames: Iterable[Frame], asked_per_frame: int | None) -> list[int]:
    """Places of the frames that somebody has marked in full: those with fewer labels than were asked for cost nothing.

    Args:
        frames: of the training.
        asked_per_frame: see ``PointDataModule``.
    """
    fewest = asked_per_frame or 1
    return [index for index, frame in enumerate(frames) if frame.exhaustive and len(frame.points) >= fewest]


def check_share(whole_share: float | None, often: Sequence[int], frames: Sequence[Frame]) -> None:
    """Whether these frames can be drawn more often than others.

    Args:
        whole_share: chance of a sample to be one of them; None asks for nothing.
        often: their places, see ``in_full``.
        frames: of the training.

    Raises:
        InputError: there is none, or they are as many without.
    """
    if whole_share and not often:
        raise InputError(
            f"--data.whole_share {whole_share} asks for training frames that are marked in full, and none that holds "
            'objects (as many as were asked for) is: mark some and give them "exhaustive": true, or leave it out'
        )
    if whole_share and whole_share <= len(often) / len(frames):
        raise InputError(
            f"--data.whole_share {whole_share}: {len(often)} of {len(frames)} training frames are marked in full, "
            "which is as large a share already; leave the option out"
        )
