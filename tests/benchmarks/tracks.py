"""Identities and unique counts of the tracker against simpler ways, on videos of ``carcloc synth --video``.

Peaks are the truth with misses, false peaks and jitter; or, with ``--ckpt_path``, what a network finds. Every way gets
the same peaks. "Perfect" ids are those of the nodules that the peaks find: no tracker can do better on these peaks.
Prints a table, and with ``--out`` writes it as JSON. Give several data folders, each made with a seed of its own. It is
no part of ``make bench``: six videos take minutes.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from carcinosis_loc.files import write_json
from carcinosis_loc.metrics import IdentityScores, Sightings, closest_matching, identity_scores
from carcinosis_loc.points import Peaks
from carcinosis_loc.tracking import MIN_SIGHTINGS, PointTracker, count_unique


def read_truth(data):
    """For each video its name, and for each frame ids and points."""
    document = json.loads((data / "annotations" / "videos.json").read_text())
    frames = {image["id"]: (image["video"], image["frame"]) for image in document["images"]}
    found = {}
    for name, frame in frames.values():
        found.setdefault(name, {})[frame] = ([], [])
    for note in document["annotations"]:
        name, frame = frames[note["image_id"]]
        found[name][frame][0].append(note["track_id"])
        found[name][frame][1].append(note["keypoints"][:2])
    return found


def pictures(path):
    """The frames of a video."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def noisy(xy, size, random, args):
    """Truth with misses, jitter and false peaks."""
    short = min(size)
    xy = np.array(xy, float).reshape(-1, 2)
    xy = xy[random.random(len(xy)) >= args.miss]
    xy = xy + random.normal(0, args.jitter * short, xy.shape)
    false = random.uniform(0, 1, (random.poisson(args.false), 2)) * np.array(size[::-1])
    xy = np.clip(np.concatenate([xy, false]), 0, np.array(size[::-1]) - 1)
    scores = np.sort(random.uniform(0.5, 1, len(xy)))[::-1]
    return Peaks(xy[random.permutation(len(xy))].astype(np.float32), scores.astype(np.float32))


class FrameByFrame:
    """Counts every point of every frame."""

    def __init__(self):
        self.n = 0

    def update(self, image, peaks, frame, time_s):
        self.n += len(peaks)
        return np.arange(self.n - len(peaks), self.n) + 1

    def settle(self, ids):
        return ids


class WithoutMotion(PointTracker):
    """The same tracker that is shown black pictures: nearest neighbours where the camera left them."""

    def update(self, image, peaks, frame, time_s):
        return super().update(np.zeros_like(image), peaks, frame, time_s)


class WithoutMap(PointTracker):
    """The same tracker that knows of no place but the last one."""

    def _expected(self, live):
        if live:
            return super()._expected(live)
        return [], np.zeros((0, 2))


WAYS = {
    "frame by frame": (FrameByFrame, 1),
    "nearest neighbour, no motion": (WithoutMotion, MIN_SIGHTINGS),
    "motion, no map": (WithoutMap, MIN_SIGHTINGS),
    "PointTracker": (PointTracker, MIN_SIGHTINGS),
}


STEADY = "PointTracker, count_unique"


def follow(ways, path, peaks_of, every):
    """Ids of each way on each frame of a video, settled, and seconds of computing that each took."""
    trackers = {name: make() for name, (make, _) in ways.items()}
    seconds = dict.fromkeys(ways, 0.0)
    rows = {name: [] for name in ways}
    for index, image in enumerate(pictures(path)):
        if index % every:
            continue
        peaks = peaks_of(index, image)
        for name, tracker in trackers.items():
            began = time.process_time()
            ids = tracker.update(image, peaks, index, index / 10)
            seconds[name] += time.process_time() - began
            rows[name].append((np.full(len(ids), index), ids, peaks.xy.astype(float)))
    found = {}
    for name, parts in rows.items():
        frame, ids, xy = (np.concatenate(part) for part in zip(*parts, strict=True))
        found[name] = Sightings(frame, trackers[name].settle(ids), xy)
    return found, seconds, len(parts), count_unique(trackers["PointTracker"].tracks())


def perfect_ids(peaks, truth, radius_px):
    """Frames, ids and points, where each peak has the id of the nodule that it finds."""
    ids = 10**6 + np.arange(len(peaks.frame))
    for frame in np.unique(peaks.frame):
        here, there = np.flatnonzero(peaks.frame == frame), np.flatnonzero(truth.frame == frame)
        pairs, _ = closest_matching(peaks.xy[here], truth.xy[there], radius_px)
        ids[here[pairs[:, 0]]] = truth.track_id[there[pairs[:, 1]]]
    return peaks.frame, ids, peaks.xy


def score(data, args, ways=WAYS, find=None):
    """Sums over all videos for each way."""
    totals = {name: IdentityScores() for name in (*ways, STEADY, "perfect")}
    seconds, n_frames = dict.fromkeys(totals, 0.0), 0
    for number, (name, frames) in enumerate(sorted(read_truth(data).items())):
        random = np.random.default_rng([args.seed, number])
        size = None

        def peaks_of(index, image, frames=frames, random=random):
            if find is not None:
                return find(image)
            return noisy(frames[index][1], image.shape[:2], random, args)

        found, took, n, counted = follow(ways, data / "videos" / name, peaks_of, args.every)
        size = next(pictures(data / "videos" / name)).shape[:2]
        shown = [(index, *frames[index]) for index in frames if index % args.every == 0]
        truth = Sightings(
            np.concatenate([np.full(len(ids), index) for index, ids, _ in shown]).astype(np.int64),
            np.concatenate([np.array(ids, np.int64) for _, ids, _ in shown]),
            np.concatenate([np.array(xy, float).reshape(-1, 2) for _, _, xy in shown]),
        )
        for way, (_, least) in ways.items():
            own = identity_scores(found[way], truth, args.match_radius * min(size), least)
            totals[way] += own
            if way == "PointTracker":
                # the row above is without the rule that a place in view must mostly show its point
                error = abs(counted - own.unique_truth)
                totals[STEADY] += replace(own, unique_predicted=counted, count_error=error)
                print(f"{data.name}/{name}: {counted} counted, {own.unique_truth} there, IDF1 {own.idf1:.3f}")
            seconds[way] += took[way]
        perfect = Sightings(*perfect_ids(found["frame by frame"], truth, args.match_radius * min(size)))
        totals["perfect"] += identity_scores(perfect, truth, args.match_radius * min(size), MIN_SIGHTINGS)
        n_frames += n
    return totals, {way: 1000 * value / n_frames for way, value in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+", help="folders made by carcloc synth --video")
    parser.add_argument("--miss", type=float, default=0.2, help="share of nodules missed in a frame")
    parser.add_argument("--false", type=float, default=2.0, help="false peaks a frame, mean")
    parser.add_argument("--jitter", type=float, default=0.006, help="standard deviation, shares of the shorter side")
    parser.add_argument("--every", type=int, default=1, help="look at every n-th frame")
    parser.add_argument("--match-radius", type=float, default=0.04, help="shares of the shorter side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ckpt_path", type=Path, help="find points with this network instead")
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    find = None
    if args.ckpt_path:
        import carcinosis_loc

        find = carcinosis_loc.load(args.ckpt_path)
    parts = [score(data, args, find=find) for data in args.data]
    totals = {name: sum((part[name] for part, _ in parts), IdentityScores()) for name in parts[0][0]}
    took = {name: sum(ms[name] for _, ms in parts) / len(parts) for name in parts[0][1]}
    print(f"{'':30} {'IDF1':>6} {'counted':>8} {'true':>6} {'count error':>12} {'ms/frame':>9}")
    for name, total in totals.items():
        print(
            f"{name:30} {total.idf1:6.3f} {total.unique_predicted:8d} {total.unique_truth:6d} "
            f"{100 * total.relative_count_error:11.1f}% {took[name]:9.1f}"
        )
    if args.out:
        rows = {
            name: {"idf1": s.idf1, "counted": s.unique_predicted, "true": s.unique_truth} for name, s in totals.items()
        }
        write_json(args.out, {"settings": {k: str(v) for k, v in vars(args).items()}, "ways": rows}, indent=2)


if __name__ == "__main__":
    main()
