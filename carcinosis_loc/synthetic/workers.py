"""Frames made by several processes, the same ones however many there are."""

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_bytes
from carcinosis_loc.points import Size
from carcinosis_loc.synthetic.backgrounds import read_background
from carcinosis_loc.synthetic.frames import SyntheticFrame, make_frame, make_frame_on
from carcinosis_loc.synthetic.looks import draw_look


@dataclass(frozen=True)
class Task:
    """All that a process needs to make one frame; the seed and the numbers alone say what it looks like."""

    path: Path
    size: Size
    seed: int
    split: int
    patient: int
    frame: int
    backgrounds: tuple[Path, ...]


def count_cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def run_tasks(tasks: list[Task], workers: int) -> Iterator[SyntheticFrame]:
    """Make the frames, in order; without their pictures, which are on disk by then."""
    if workers == 1 or len(tasks) == 1:
        threads = cv2.getNumThreads()
        try:
            _start_worker()
            yield from map(_make, tasks)
        finally:
            cv2.setNumThreads(threads)
        return
    # "spawn": a forked process may hang in a library whose threads were not forked with it
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), context, _start_worker) as pool:
        try:
            yield from pool.map(_make, tasks, chunksize=4)
        except BrokenProcessPool as error:
            raise InputError(
                "a worker process ended early: out of memory, or started by a script without the usual "
                "if __name__ == '__main__'; try again with workers=1"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker() -> None:
    cv2.setNumThreads(1)


def _make(task: Task) -> SyntheticFrame:
    """Make and write one frame. Patient and frame have streams of their own: nothing depends on the order."""
    look = draw_look(_stream(task.seed, task.split, task.patient))
    rng = _stream(task.seed, task.split, task.patient, task.frame)
    if task.backgrounds:
        picture = read_background(task.backgrounds[int(rng.integers(len(task.backgrounds)))])
        frame = make_frame_on(rng, look, picture, task.size)
    else:
        frame = make_frame(rng, look, task.size)
    coded = cv2.imencode(".png", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 4])[1]
    try:
        write_bytes(task.path, coded.tobytes())
    except OSError as error:
        raise InputError(
            f"{task.path}: cannot be written ({error.strerror}); make room or name another folder"
        ) from error
    return replace(frame, image=np.zeros((0, 0, 3), np.uint8))


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
