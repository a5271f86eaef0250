"""Videos with known identities: MP4 files, and one label file that says which nodule is where in each frame."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.annotations.write import coco_file, image_entry, point_annotation
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder, write_json
from carcinosis_loc.points import Size
from carcinosis_loc.synthetic.filming import VideoFrame, draw_weather, film
from carcinosis_loc.synthetic.flight import fly
from carcinosis_loc.synthetic.looks import draw_look
from carcinosis_loc.synthetic.panorama import make_panorama
from carcinosis_loc.synthetic.progress import show_progress
from carcinosis_loc.synthetic.staging import check_replaceable, put_in_place, staged
from carcinosis_loc.video import VideoWriter

_SMALLEST, _LARGEST = 64, 4096
_MOST_FRAMES = 1_000_000
_STREAM = 4  # of random numbers; single frames use 0 to 3


def write_videos(
    out_dir: str | Path,
    *,
    n_videos: int = 3,
    seconds: float = 20.0,
    fps: float = 10.0,
    height: int = 192,
    width: int = 192,
    seed: int = 0,
    overwrite: bool = False,
) -> dict[str, dict[str, int]]:
    """Write ``videos/*.mp4`` and ``annotations/videos.json`` below ``out_dir``, when all is made, not before.

    The label file is COCO keypoints with more: each image is a frame (``file_name`` and ``video`` name the video,
    ``frame`` counts from 0, ``time_s``), each annotation a nodule that is visible in it with its ``track_id``, and
    ``videos`` lists the videos with their unique nodules. The same arguments give the same annotations, and the same
    pictures before they are compressed.

    Args:
        out_dir: a new folder, or one without that label file.
        n_videos: each is another patient.
        seconds: length of a video.
        fps: frames a second.
        height: of the frames, pixels, even, not above ``width``.
        width: of the frames, pixels, even.
        seed: 0 or more.
        overwrite: replace earlier videos in ``out_dir``.

    Returns:
        For each video ``{"frames": …, "points": …, "unique": …}``.

    Raises:
        InputError: an impossible argument, a folder that is taken or cannot be written, PyAV is not installed.
    """
    out_dir = Path(out_dir)
    n_frames = _check(n_videos, seconds, fps, (height, width), seed)
    labels = out_dir / "annotations" / "videos.json"
    if labels.exists() and not overwrite:
        raise InputError(f"{labels}: exists already; name another folder, or overwrite it with --overwrite")
    check_replaceable([labels, *(out_dir / "videos" / _name(number) for number in range(1, n_videos + 1))])
    make_folder(out_dir / "videos")
    with staged(out_dir) as folder:
        document = _film_all(folder, n_videos, (height, width), n_frames, fps, seed)
        write_json(folder / labels.relative_to(out_dir), document)
        put_in_place(folder, out_dir, [labels])
    return {
        video["file_name"]: {"frames": video["n_frames"], "points": video["n_points"], "unique": video["n_unique"]}
        for video in document["videos"]
    }


def _film_all(folder: Path, n_videos: int, size: Size, n_frames: int, fps: float, seed: int) -> dict[str, Any]:
    """Write the videos, and give what the label file says of them."""
    document: dict[str, Any] = coco_file([], [], "synthetic laparoscopy, videos, all visible nodules")
    document["videos"] = []
    for number in range(1, n_videos + 1):
        path = folder / "videos" / _name(number)
        frames = show_progress(_frames(seed, number, size, n_frames, fps), n_frames, path.name)
        with VideoWriter(path, size, fps) as writer:
            for index, frame in enumerate(frames):
                writer.add(frame.image)
                _add_labels(document, path.name, index, fps, frame)
        document["videos"].append(_video_entry(document, number, path.name, fps, n_frames))
    return document


def _name(number: int) -> str:
    return f"video_{number:03d}.mp4"


def _check(n_videos: int, seconds: float, fps: float, size: Size, seed: int) -> int:
    """The number of frames of a video."""
    for name, side in zip(("height", "width"), size, strict=True):
        if not _SMALLEST <= side <= _LARGEST or side % 2:
            raise InputError(f"{name} is {side} pixels; for a video it must be even and from {_SMALLEST} to {_LARGEST}")
    if size[0] > size[1]:
        raise InputError(f"height is {size[0]} and width {size[1]}: the frame is taller than wide; swap the two")
    if n_videos < 1:
        raise InputError(f"the number of videos is {n_videos}; it must be 1 or more")
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be 0 or more")
    for name, value in (("seconds", seconds), ("fps", fps)):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value}; it must be a number above 0")
    n_frames = round(seconds * fps)
    if not 1 <= n_frames <= _MOST_FRAMES:
        raise InputError(
            f"{seconds} seconds at {fps} frames a second make {n_frames} frames; ask for 1 to {_MOST_FRAMES}"
        )
    return n_frames


def _frames(seed: int, number: int, size: Size, n_frames: int, fps: float) -> Iterator[VideoFrame]:
    look = draw_look(_stream(seed, number, 0))
    rng = _stream(seed, number, 1)
    panorama = make_panorama(rng, look, size)
    poses = fly(rng, size, panorama.scene.size, n_frames, fps)
    weather = draw_weather(rng, look, size, n_frames / fps)
    for index, pose in enumerate(poses):
        yield film(_stream(seed, number, 2, index), look, panorama, weather, pose, size)


def _add_labels(document: dict[str, Any], video: str, index: int, fps: float, frame: VideoFrame) -> None:
    height, width = frame.image.shape[:2]
    image_id = len(document["images"]) + 1
    entry = image_entry(image_id, video, (height, width), exhaustive=True, group=video)
    document["images"].append(entry | {"video": video, "frame": index, "time_s": round(index / fps, 6)})
    for key, xy, radius in zip(frame.track_id.tolist(), frame.xy, frame.radius_px.tolist(), strict=True):
        left, top = np.maximum(xy - radius, 0)
        right, bottom = np.minimum(xy + radius, np.array([width, height]) - 1)
        box = (left, top, right - left, bottom - top)
        annotation = point_annotation(
            len(document["annotations"]) + 1, image_id, (float(xy[0]), float(xy[1])), box, math.pi * radius**2
        )
        document["annotations"].append(annotation | {"track_id": key})


def _video_entry(document: dict[str, Any], number: int, name: str, fps: float, n_frames: int) -> dict[str, Any]:
    ids = {image["id"] for image in document["images"] if image["video"] == name}
    tracks = [note["track_id"] for note in document["annotations"] if note["image_id"] in ids]
    counts = {"n_frames": n_frames, "n_points": len(tracks), "n_unique": len(set(tracks))}
    return {"id": number, "file_name": name, "fps": fps} | counts


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, *key)))
