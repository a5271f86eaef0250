"""The frames of a split: read, settled as sparse or exhaustive, and summed up in one line."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Frame

_log = logging.getLogger(__name__)

_FEW_POINTS = 10  # dense frames seldom all hold so few; capped labels always do


def read_split(
    split: str,
    json_path: str | Path,
    image_dir: str | Path,
    *,
    category: str | None,
    allow_symlinks: bool,
    exhaustive: bool,
    asked_per_frame: int = 0,
) -> list[Frame]:
    """Frames of a label file; ``exhaustive`` settles those that do not say it themselves.

    Args:
        split: how messages call it.
        json_path: COCO keypoint file.
        image_dir: folder of its images.
        category: see ``read_coco``.
        allow_symlinks: see ``read_coco``.
        exhaustive: whether a frame that does not say so counts as exhaustively labelled.
        asked_per_frame: a frame with fewer points than this that does not say otherwise is exhaustive, too.

    Raises:
        InputError: as ``read_coco``; or there is no image, or (``split`` is "train") not one labelled point.
    """
    frames = read_coco(json_path, image_dir, category=category, allow_symlinks=allow_symlinks)
    if not frames:
        raise InputError(f'{json_path}: the {split} set is empty: "images" holds none')
    if split == "train" and not any(len(frame.points) for frame in frames):
        raise InputError(f"{json_path}: the training set is empty: none of its images has a labelled point")
    settled = [_settled(frame, exhaustive or len(frame.points) < asked_per_frame) for frame in frames]
    _report(split, settled, silent=sum(frame.exhaustive is None for frame in frames), assumed_exhaustive=exhaustive)
    fewer = [frame for frame in frames if len(frame.points) < asked_per_frame]
    if len(fewer) == len(frames) and any(frame.exhaustive is None for frame in fewer):
        _log.warning(
            "%s: no image has %d points, so each counts as exhaustively labelled unless it says otherwise, and all "
            "that is not marked as background; is data.asked_per_frame meant so?",
            split,
            asked_per_frame,
        )
    if fewer and all(frame.exhaustive is False for frame in fewer):
        _log.warning(
            '%s: data.asked_per_frame changes nothing: the label file says "exhaustive": false of all %d images that '
            "have fewer points; leave that out there",
            split,
            len(fewer),
        )
    return settled


def _settled(frame: Frame, exhaustive: bool) -> Frame:
    return frame if frame.exhaustive is not None else replace(frame, exhaustive=exhaustive)


def warn_of_shared_groups(
    frames: Mapping[str, Iterable[Frame]], paths: Mapping[str, str | None], *, named: bool = True
) -> None:
    """Warn of every pair of splits that have a group (patient, slide, video) in common.

    The other splits' files are looked at too: a run that trains should know what it will be tested on.

    Args:
        frames: by split, what this command has read.
        paths: by split, the label files that are known.
        named: name the groups.
    """
    groups = {split: _groups_of(of_split) for split, of_split in frames.items()}
    if not any(groups.values()):
        return
    for split, path in paths.items():
        if split in groups or path is None or not Path(path).is_file():
            continue
        try:
            groups[split] = _groups_of(read_coco(path, "", allow_symlinks=True, with_labels=False, check_images=False))
        except InputError:
            continue  # this command does not need the file; the one that does will say what is wrong
    for (one, of_one), (other, of_other) in combinations(groups.items(), 2):
        shared = sorted(of_one & of_other)
        if shared:
            listed = ": " + ", ".join(shared[:10]) + (", …" if len(shared) > 10 else "") if named else ""
            message = "%s and %s share %d groups%s; figures on %s will look better than they are"
            _log.warning(message, one, other, len(shared), listed, other)


def anonymous(frames: Iterable[Frame]) -> list[Frame]:
    """The same frames, called ``image_<id>`` and their groups by number; only ``path`` still says what they are."""
    numbers: dict[str, str] = {}
    return [
        replace(
            frame,
            file_name=f"image_{frame.image_id}",
            group=None if frame.group is None else numbers.setdefault(frame.group, f"group_{len(numbers) + 1}"),
            extra={},
        )
        for frame in frames
    ]


def _groups_of(frames: Iterable[Frame]) -> set[str]:
    return {frame.group for frame in frames if frame.group is not None}


def _report(split: str, frames: list[Frame], *, silent: int, assumed_exhaustive: bool) -> None:
    points = sum(len(frame.points) for frame in frames)
    exhaustive = sum(frame.exhaustive is True for frame in frames)
    _log.info(
        "%s: %d images, %d points (%.1f a frame); %d frames count as exhaustively labelled, %d as sparsely (%s)",
        split,
        len(frames),
        points,
        points / len(frames),
        exhaustive,
        len(frames) - exhaustive,
        f"{silent} of them by the options of data" if silent else "all by the label file",
    )
    most = max(len(frame.points) for frame in frames)
    if assumed_exhaustive and silent and most <= _FEW_POINTS:
        _log.warning(
            "%s: frames count as exhaustively labelled, though none holds more than %d points; if the labels were "
            'capped, precision and F1 will be too low: set "exhaustive": false in the label file or change '
            "data.exhaustive_splits",
            split,
            most,
        )
