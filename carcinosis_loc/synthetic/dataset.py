"""A whole data set: pictures, dense truth for all splits, sparse labels for train and val."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.annotations.thinning import thin
from carcinosis_loc.annotations.write import coco_file, image_entry, point_annotation
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import make_folder, write_json
from carcinosis_loc.points import Size
from carcinosis_loc.synthetic.backgrounds import list_backgrounds
from carcinosis_loc.synthetic.frames import SyntheticFrame
from carcinosis_loc.synthetic.progress import show_progress
from carcinosis_loc.synthetic.staging import check_replaceable, put_in_place, staged
from carcinosis_loc.synthetic.workers import Task, count_cores, run_tasks

SPLITS = ("train", "val", "test")
SPARSE_SPLITS = ("train", "val")
FRAMES_A_PATIENT = 10
_SMALLEST, _LARGEST = 64, 4096


def write_dataset(
    out_dir: str | Path,
    *,
    n_train: int = 400,
    n_val: int = 60,
    n_test: int = 60,
    height: int = 192,
    width: int = 192,
    labels_per_frame: int = 5,
    seed: int = 0,
    workers: int = 0,
    backgrounds: str | Path | None = None,
    frames_per_patient: int = FRAMES_A_PATIENT,
    overwrite: bool = False,
) -> dict[str, dict[str, int]]:
    """Write ``images/`` and ``annotations/`` below ``out_dir``, when all is made: until then nothing there changes.

    The same arguments give the same bytes with any number of workers.

    Args:
        out_dir: a new folder, or one without ``annotations/``.
        n_train: frames of the train split; a split may have none.
        n_val: frames of the val split.
        n_test: frames of the test split.
        height: of the frames, pixels; objects scale with the shorter side.
        width: of the frames, pixels.
        labels_per_frame: points that a sparse file keeps on a frame, at most.
        seed: 0 or more.
        workers: processes; 0 is one for each core that this process may use, 1 is none but this one.
        backgrounds: a folder of lesion-free frames to paint nodules on, in place of synthetic tissue. With three or
            more of them, each serves one split only.
        frames_per_patient: about how many frames share one look and ``group``. No patient is in two splits.
        overwrite: replace an earlier data set in ``out_dir``.

    Returns:
        For each split ``{"frames": …, "points": …, "sparse_points": …}``.

    Raises:
        InputError: an impossible argument, a folder that is taken or cannot be written, a bad background.
    """
    out_dir = Path(out_dir)
    counts = dict(zip(SPLITS, (n_train, n_val, n_test), strict=True))
    _check(counts, (height, width), labels_per_frame, seed, workers, frames_per_patient)
    pictures = _share_out(list_backgrounds(Path(backgrounds)), counts, seed) if backgrounds is not None else {}
    earlier = _earlier(out_dir, overwrite)
    make_folder(out_dir / "images")
    with staged(out_dir) as folder:
        make_folder(folder / "images")
        tasks = [
            task
            for split in SPLITS
            for task in _tasks(folder, split, counts[split], frames_per_patient, (height, width), seed, pictures)
        ]
        made = list(show_progress(run_tasks(tasks, workers or count_cores()), len(tasks), "synth"))
        summary = _write_labels(folder, tasks, made, labels_per_frame, seed)
        put_in_place(folder, out_dir, earlier)
    return summary


def _check(
    counts: dict[str, int], size: Size, labels_per_frame: int, seed: int, workers: int, frames_per_patient: int
) -> None:
    for split, count in counts.items():
        if count < 0:
            raise InputError(f"n_{split} is {count}; it must be 0 or more")
    if not sum(counts.values()):
        raise InputError("n_train, n_val and n_test are all 0; ask for a frame at least")
    for name, side in zip(("height", "width"), size, strict=True):
        if not _SMALLEST <= side <= _LARGEST:
            raise InputError(f"{name} is {side} pixels; it must be from {_SMALLEST} to {_LARGEST}")
    least = {"labels_per_frame": (labels_per_frame, 1), "seed": (seed, 0), "workers": (workers, 0)}
    for name, (value, low) in (least | {"frames_per_patient": (frames_per_patient, 1)}).items():
        if value < low:
            raise InputError(f"{name} is {value}; it must be {low} or more")


def _earlier(out_dir: Path, overwrite: bool) -> list[Path]:
    """With ``overwrite``, what an earlier run of this module has left."""
    labels, images = out_dir / "annotations", out_dir / "images"
    if labels.exists() and not overwrite:
        raise InputError(f"{labels}: exists already; name another folder, or overwrite it with --overwrite")
    if not overwrite:
        return []
    ours = [labels / f"{split}_{kind}.json" for split in SPLITS for kind in ("dense", "sparse")]
    for split in SPLITS:
        ours += images.glob(f"{split}_" + "[0-9]" * 5 + ".png")
    check_replaceable(ours)
    return ours


def _tasks(
    out_dir: Path,
    split: str,
    count: int,
    frames_per_patient: int,
    size: Size,
    seed: int,
    pictures: dict[str, tuple[Path, ...]],
) -> Iterator[Task]:
    patients = max(1, round(count / frames_per_patient))
    for index in range(count):
        patient = index * patients // count
        first = math.ceil(patient * count / patients)
        path = out_dir / "images" / f"{split}_{index:05d}.png"
        yield Task(path, size, seed, SPLITS.index(split), patient, index - first, pictures.get(split, ()))


def _share_out(paths: list[Path], counts: dict[str, int], seed: int) -> dict[str, tuple[Path, ...]]:
    """Deal the backgrounds out to the splits in proportion to their frames, one at least; all to all if too few."""
    wanted = [split for split in SPLITS if counts[split]]
    if len(paths) < len(SPLITS):
        return {split: tuple(paths) for split in wanted}
    order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(len(SPLITS),))).permutation(len(paths))
    spare, total = len(paths) - len(wanted), sum(counts.values())
    shares, start = {}, 0
    for position, split in enumerate(wanted):
        last = position == len(wanted) - 1
        stop = len(paths) if last else start + 1 + spare * counts[split] // total
        shares[split] = tuple(paths[i] for i in sorted(order[start:stop]))
        start = stop
    return shares


def _write_labels(
    out_dir: Path, tasks: list[Task], made: list[SyntheticFrame], labels_per_frame: int, seed: int
) -> dict[str, dict[str, int]]:
    summary = {}
    for split, dense in _dense_files(tasks, made).items():
        sparse = thin(dense, per_frame=labels_per_frame, seed=seed)
        write_json(out_dir / "annotations" / f"{split}_dense.json", dense)
        if split in SPARSE_SPLITS:
            write_json(out_dir / "annotations" / f"{split}_sparse.json", sparse)
        summary[split] = {
            "frames": len(dense["images"]),
            "points": len(dense["annotations"]),
            "sparse_points": len(sparse["annotations"]) if split in SPARSE_SPLITS else 0,
        }
    return summary


def _dense_files(tasks: list[Task], made: list[SyntheticFrame]) -> dict[str, dict[str, Any]]:
    """One COCO file a split; image, annotation and patient numbers run on over the splits."""
    files = {split: coco_file([], [], f"synthetic laparoscopy, {split}, all nodules") for split in SPLITS}
    patients: dict[tuple[int, int], str] = {}
    annotation_id = 1
    for image_id, (task, frame) in enumerate(zip(tasks, made, strict=True), 1):
        group = patients.setdefault((task.split, task.patient), f"patient_{len(patients) + 1:03d}")
        file = files[SPLITS[task.split]]
        file["images"].append(image_entry(image_id, task.path.name, task.size, exhaustive=True, group=group))
        for xy, radius, conspicuity in zip(frame.points, frame.radius_px, frame.conspicuity, strict=True):
            box, area = _box(xy, float(radius), task.size), math.pi * float(radius) ** 2
            annotation = point_annotation(annotation_id, image_id, xy, box, area)
            file["annotations"].append(annotation | {"conspicuity": round(float(conspicuity), 4)})
            annotation_id += 1
    return files


def _box(xy: np.ndarray, radius: float, size: Size) -> tuple[float, float, float, float]:
    """The part of a nodule's box that lies in the frame: ``(x, y, width, height)``."""
    left, top = (max(0.0, float(c) - radius) for c in xy)
    right, bottom = (min(side - 1.0, float(c) + radius) for c, side in zip(xy, size[::-1], strict=True))
    return left, top, right - left, bottom - top
