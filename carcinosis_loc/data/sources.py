"""What ``carcloc predict`` is given: images, videos, or both."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import UnidentifiedImageError

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.file_names import leads_outside
from carcinosis_loc.annotations.images import SUFFIXES, image_size, list_files, list_images
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import read_bytes
from carcinosis_loc.points import Frame
from carcinosis_loc.video import Video, find_video, is_video_name, probe

_log = logging.getLogger(__name__)

Item = Frame | Video


def read_source(source: str | Path, image_dir: str | Path | None, *, allow_symlinks: bool) -> list[Item]:
    """What a source stands for: frames without labels, and videos.

    - an image, a video, or a device; ``-`` is a video on standard input;
    - a folder and its folders: the images and videos in it, in the order of their paths;
    - a COCO image list (``.json``), whose ids are kept;
    - a text file (``.txt``) with one of these a line, relative to the file's own folder; ``#`` starts a comment.

    Images that no label file lists, and those of a list, get the ids 1, 2, … in their order.

    Raises:
        InputError: nothing found; a file that is neither image nor video, or is damaged; an image list without
            ``image_dir``.
    """
    items: list[Item]
    if str(source).endswith(".txt") and not Path(source).is_dir():
        items = _listed(Path(source), image_dir, allow_symlinks)
    else:
        items = _read_one(str(source), image_dir, allow_symlinks)
    if not items:
        raise InputError(f'{source}: there is nothing to predict on: "images" holds none')
    _report(items)
    return [replace(item, exhaustive=False) if isinstance(item, Frame) else item for item in items]


def check_names(items: Sequence[Item]) -> None:
    """Refuse names that no file of predictions can hold, before anything is predicted.

    Raises:
        InputError: one is no UTF-8.
    """
    for item in items:
        try:
            item.file_name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"{item.file_name}: this file's name is no UTF-8 text; rename the file, or add --anonymize true"
            ) from error


def anonymous_items(items: Sequence[Item]) -> list[Item]:
    """The same, called ``image_<id>`` and ``video_<number>``; only the path still says what they are."""
    numbers = iter(range(1, len(items) + 1))
    return [
        replace(item, file_name=f"image_{item.image_id}", group=None, extra={})
        if isinstance(item, Frame)
        else replace(item, file_name=f"video_{next(numbers)}")
        for item in items
    ]


def _read_one(source: str, image_dir: str | Path | None, allow_symlinks: bool) -> list[Item]:
    path = Path(source)
    if path.is_dir():
        return _in_folder(path, allow_symlinks)
    if path.suffix.lower() == ".json":
        if image_dir is None:
            raise InputError(f"{source}: names images by file_name; give their folder with --data.image_dir")
        return list(read_coco(path, image_dir, allow_symlinks=allow_symlinks, with_labels=False))
    if source != "-" and not path.exists():
        raise InputError(f"{source}: there is no such image, video or folder")
    if path.suffix.lower() not in SUFFIXES:  # else an image: some video readers take those too
        video = find_video(source)
        if video is not None:
            return [video]
    try:
        return [Frame(1, path.name, path, image_size(path))]
    except InputError as error:
        if path.suffix.lower() in SUFFIXES or not isinstance(error.__cause__, UnidentifiedImageError):
            raise
        raise InputError(f"{source}: is neither an image nor a video that can be read") from error


def _in_folder(folder: Path, allow_symlinks: bool) -> list[Item]:
    found = [
        path
        for path in list_files(folder, allow_symlinks=allow_symlinks)
        if path.suffix.lower() in SUFFIXES or is_video_name(path)
    ]
    if not any(is_video_name(path) for path in found):
        found = list_images(folder, allow_symlinks=allow_symlinks)  # says what it looked for
    items: list[Item] = []
    for number, path in enumerate(found, 1):
        name = path.relative_to(folder).as_posix()
        if not allow_symlinks and path.is_symlink() and leads_outside(path, folder):
            raise InputError(f"{path}: is a link to outside {folder}; set data.allow_symlinks to allow it")
        items.append(probe(str(path), name) if is_video_name(path) else Frame(number, name, path, image_size(path)))
    return _numbered(items)


def _listed(path: Path, image_dir: str | Path | None, allow_symlinks: bool) -> list[Item]:
    """What the lines stand for, numbered anew, and called by their paths from the folder that they share."""
    items: list[Item] = []
    for number, line in _lines(path):
        if line == "-":
            raise InputError(f"{path}: line {number}: standard input cannot be one of a list")
        try:
            items += _read_one(str(path.parent / line), image_dir, allow_symlinks)
        except InputError as error:
            raise InputError(f"{path}: line {number}: {error}") from error
    if any(isinstance(item, Video) and item.live for item in items):
        raise InputError(f"{path}: a device cannot be one of a list")
    places = [os.path.abspath(item.path if isinstance(item, Frame) else item.source) for item in items]
    shared = os.path.commonpath([os.path.dirname(place) for place in places]) if places else ""
    names = [Path(place).relative_to(shared).as_posix() for place in places]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(f"{path}: {twice} is listed twice")
    return _numbered([replace(item, file_name=name) for item, name in zip(items, names, strict=True)])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a list of paths ({error})") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _numbered(items: Sequence[Item]) -> list[Item]:
    """Images numbered 1, 2, … in their order. Among videos they get other ids, when they are read."""
    ids = iter(range(1, len(items) + 1))
    return [replace(item, image_id=next(ids)) if isinstance(item, Frame) else item for item in items]


def _report(items: Sequence[Item]) -> None:
    videos = [item for item in items if isinstance(item, Video)]
    images = _number(len(items) - len(videos), "image")
    if not videos:
        _log.info("predict: %s", images)
        return
    known = [video.duration_s for video in videos if video.duration_s is not None]
    length = f", {_length(sum(known))}" if len(known) == len(videos) else ""
    more = f", and {images}" if len(items) > len(videos) else ""
    _log.info("predict: %s%s%s", _number(len(videos), "video"), length, more)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} minutes"
