"""``carcloc score-tracks``: the identities and the unique count of a prediction against the truth."""

import argparse
import csv
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from carcinosis_loc.annotations.fields import Entry, by_id, entries, read_document, read_list, shown
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_json
from carcinosis_loc.metrics import IdentityScores, Sightings, identity_scores
from carcinosis_loc.tracking import MIN_SEEN_SHARE, MIN_SIGHTINGS

Place = tuple[str, int]  # name of a video, number of a frame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc score-tracks``."""
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="what carcloc predict has filled")
    parser.add_argument(
        "truth", type=Path, metavar="TRUTH.json", help="labels with track_id, as carcloc synth --video writes them"
    )
    parser.add_argument(
        "--match-radius-px", type=float, default=8.0, metavar="R", help="image pixels (default %(default)s)"
    )
    parser.add_argument(
        "--min-sightings",
        type=int,
        default=MIN_SIGHTINGS,
        metavar="N",
        help="tracks seen in fewer frames do not count as a nodule (default %(default)s)",
    )
    parser.add_argument("--out", type=Path, metavar="OUT.json", help="write the figures here too")


def run(args: argparse.Namespace) -> None:
    """Score the prediction and print a line for each video and one for all.

    Which tracks count as a nodule is told by ``tracks.csv``, where there is one.

    Raises:
        InputError: a file that is missing or no such file, videos that are not the same, an impossible argument; or
            ``--out`` is one of the files that are read.
    """
    if not args.match_radius_px > 0 or args.min_sightings < 1:
        raise InputError("--match-radius-px must be above 0 and --min-sightings 1 or more")
    folder = _folder(args.predictions)
    images, predictions = folder / "images.json", folder / "predictions.json"
    read = (args.truth, images, predictions)
    if args.out and args.out.exists() and any(one.exists() and args.out.samefile(one) for one in read):
        raise InputError(f"{args.out}: is an input itself; name another file for the figures")
    looked_at = _places(images)
    predicted = _sightings(looked_at, read_list(predictions), predictions)
    true_places = _places(args.truth)
    truth = _sightings(true_places, entries(read_document(args.truth), "annotations", args.truth), args.truth)
    unknown = sorted(set(looked_at.values()) - set(true_places.values()))
    if unknown:
        name, frame = unknown[0]
        raise InputError(f"{args.truth}: has no frame {frame} of {shown(name)}, which {images} lists")
    seen, flickering = set(looked_at.values()), _flickering(folder / "tracks.csv")
    rules = args.match_radius_px, args.min_sightings, flickering
    scores = {
        name: identity_scores(_of_video(predicted, name, seen), _of_video(truth, name, seen), *rules)
        for name in sorted({name for name, _ in seen})
    }
    total = sum(scores.values(), IdentityScores())
    for name, score in [*scores.items(), ("all", total)]:
        print(_line(name, score))
    if args.out:
        write_json(args.out, {name: _figures(score) for name, score in [*scores.items(), ("all", total)]}, indent=2)


def _folder(given: Path) -> Path:
    """The folder with ``images.json``: the one that was given, or ``predictions/`` in the run that was."""
    for folder in (given, given / "predictions"):
        if (folder / "images.json").is_file():
            return folder
    raise InputError(f"{given}: holds no images.json; give the folder that carcloc predict wrote")


def _flickering(path: Path) -> set[int]:
    """The tracks that are not seen in enough of the frames in view (see ``tracking.MIN_SEEN_SHARE``)."""
    if not path.exists():
        return set()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [
                (int(row["track_id"]), int(row["n_sightings"]), int(row["n_in_view"])) for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as carcloc predict writes it ({error}); predict again") from error
    return {number for number, n_sightings, n_in_view in rows if n_sightings < MIN_SEEN_SHARE * n_in_view}


def _line(name: str, score: IdentityScores) -> str:
    return (
        f"{name}: IDF1 {score.idf1:.3f}; {score.unique_predicted} unique nodules counted, {score.unique_truth} there "
        f"(off by {score.count_error}, {100 * score.relative_count_error:.1f} %)"
    )


def _figures(score: IdentityScores) -> dict[str, float]:
    return asdict(score) | {"idf1": score.idf1, "relative_count_error": score.relative_count_error}


def _places(path: Path) -> dict[int, Place]:
    """Video and frame of each image id."""
    return {
        key: (str(image.required("file_name")), image.integer("frame", 0))
        for key, image in by_id(entries(read_document(path), "images", path)).items()
    }


def _sightings(places: dict[int, Place], listed: list[Entry], path: Path) -> list[tuple[Place, int, float, float]]:
    """Place, track and point of each entry."""
    found = []
    taken = set()
    for entry in listed:
        place = places.get(entry.integer("image_id"))
        if place is None:
            raise entry.error(f'"image_id" {entry.fields["image_id"]} is not the id of any image')
        track = entry.integer("track_id", 1)
        if (place, track) in taken:
            raise entry.error(f'"track_id" {track} occurs twice in frame {place[1]} of {shown(place[0])}')
        taken.add((place, track))
        keypoints: list[Any] = entry.numbers("keypoints", entry.required("keypoints"))
        if len(keypoints) != 3:
            raise entry.error('"keypoints" must be one point, [x, y, v]')
        found.append((place, track, float(keypoints[0]), float(keypoints[1])))
    return found


def _of_video(rows: list[tuple[Place, int, float, float]], name: str, seen: set[Place]) -> Sightings:
    kept = [(place[1], track, x, y) for place, track, x, y in rows if place[0] == name and place in seen]
    table = np.array(kept, np.float64).reshape(-1, 4)
    return Sightings(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:])
