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
    if not given["whole_share"] < 1:
        raise InputError(f"--data.whole_share must be below 1, not {given['whole_share']}")
    height, width = given["image_size"] or (1, 1)
    if min(height, width) < 1 or height * width > MOST_PIXELS:
        raise InputError(f"--data.image_size must be [height, width] in pixels, not {[height, width]}")
    unknown = sorted(set(given["exhaustive_splits"]) - {"train", "val", "test"})
    if unknown:
        raise InputError(f"--data.exhaustive_splits may hold train, val and test, not {', '.join(unknown)}")


def check_training(frames: Sequence[Frame], json_path: str | None, resized: bool, whole_share: float) -> None:
    """Whether one can train on these frames.

    Args:
        frames: of the training.
        json_path: where they come from.
        resized: they are brought to one size, or cropped.
        whole_share: see ``PointDataModule``.

    Raises:
        InputError: they are not ``resized`` and differ in size; or samples are to be drawn of those that are
            exhaustively labelled and hold an object, and there is none.
    """
    sizes = sorted({frame.size for frame in frames})
    if not resized and len(sizes) > 1:
        raise InputError(
            f"{json_path}: images differ in size ({sizes[0][1]} x {sizes[0][0]} to {sizes[-1][1]} x "
            f"{sizes[-1][0]}); set --data.image_size, or crop_size_px of data.train_transform"
        )
    if whole_share and not whole_with_objects(frames):
        raise InputError(
            f"{json_path}: --data.whole_share {whole_share} asks for frames that are exhaustively labelled and hold an "
            'object, and there is none: mark some in full and give them "exhaustive": true, or leave the option out'
        )


def whole_with_objects(frames: Iterable[Frame]) -> list[int]:
    """Places of the frames that are exhaustively labelled and hold an object."""
    return [index for index, frame in enumerate(frames) if frame.exhaustive and len(frame.points)]
