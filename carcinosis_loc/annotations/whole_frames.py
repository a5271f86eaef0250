"""Some frames with all of their points: the other way to spend as many clicks."""

from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.annotations.checks import Coco, checked
from carcinosis_loc.annotations.thinning_of_files import read_dense, write_thinned
from carcinosis_loc.errors import InputError


def whole_frames(coco: Any, n_frames: int, seed: int = 0, *, source: str = "labels") -> Coco:
    """Keep ``n_frames`` images, drawn at random, with everything on them, and call them exhaustive.

    With the same seed fewer frames are a subset of more. The order of the images stays; a new dictionary is returned.

    Args:
        coco: what ``json.load`` gives, dense labels.
        n_frames: how many images to keep.
        seed: 0 or more.
        source: how messages call it, its file name say.

    Raises:
        InputError: no COCO keypoint file, fewer images than that, or impossible arguments.
    """
    file = checked(coco, source)
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be 0 or more")
    if not 1 <= n_frames <= len(file["images"]):
        raise InputError(f"{source}: has {len(file['images'])} images; the frames to keep must be 1 or more of them")
    ids = sorted(image["id"] for image in file["images"])
    kept = {ids[place] for place in np.random.default_rng(seed).permutation(len(ids))[:n_frames]}
    images = [image | {"exhaustive": True} for image in file["images"] if image["id"] in kept]
    return file | {"images": images, "annotations": [one for one in file["annotations"] if one["image_id"] in kept]}


def whole_frames_file(in_json: Path, out_json: Path, n_frames: int, seed: int = 0, *, overwrite: bool = False) -> Coco:
    """``whole_frames`` of the file ``in_json``, written to ``out_json``, whole or not at all; gives what was written.

    Raises:
        InputError: as ``whole_frames``; or the files are the same, cannot be read, or ``out_json`` exists already.
    """
    dense = read_dense(in_json, out_json, overwrite)
    return write_thinned(in_json, out_json, whole_frames(dense, n_frames, seed, source=str(in_json)))
