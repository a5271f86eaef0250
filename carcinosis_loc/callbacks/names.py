"""File names of pictures: a frame's own name, flat, and never the same for two frames."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from carcinosis_loc.data.stream import FrameStream
from carcinosis_loc.points import Frame

_MOST_CHARACTERS = 50  # of at most four bytes each: a file name may have 255, and writing adds some to it


def picture_names(frames: Sequence[Frame]) -> dict[int, str]:
    """A name for each image id, without suffix and without folders.

    It is the file name's stem, with its folders before it (``a/b/x.png`` is ``a_b_x``). Where two frames would get
    the same name, even if only on a disk that does not tell ``x`` from ``X``, theirs end in the image id.
    """
    plain = {frame.image_id: _flat(frame.file_name) for frame in frames}
    taken = Counter(name.casefold() for name in plain.values())
    names = {}
    for image_id, name in plain.items():
        candidate = name if taken[name.casefold()] == 1 else f"{name}_{image_id}"
        while candidate != name and taken[candidate.casefold()]:  # another frame's own name ends in this id
            candidate += f"_{image_id}"
        taken[candidate.casefold()] += candidate != name
        names[image_id] = candidate
    return names


def video_names(stream: FrameStream) -> dict[str, str]:
    """A name for each picture and video of a stream, by its file name."""
    items = [Frame(number, item.file_name, Path(), (1, 1)) for number, item in enumerate(stream.items)]
    names = picture_names(items)
    return {item.file_name: names[item.image_id] for item in items}


def _flat(file_name: str) -> str:
    path = PurePosixPath(file_name)
    words = [*path.parts[:-1], path.stem]
    return "_".join(words).replace("/", "")[-_MOST_CHARACTERS:].lstrip(".") or "image"
