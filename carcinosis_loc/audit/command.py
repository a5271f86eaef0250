"""``carcloc audit``: pick the few frames whose exhaustive marking would settle the threshold."""

import argparse
from pathlib import Path

import numpy as np

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.fields import read_document
from carcinosis_loc.annotations.images import read_image
from carcinosis_loc.audit.choice import Float64, Worth, choose_frames, worth_of
from carcinosis_loc.drawing.marks import unjudged
from carcinosis_loc.drawing.panels import sheet
from carcinosis_loc.drawing.view import png
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import new_folder, write_bytes, write_json
from carcinosis_loc.points import Frame, Peaks

_BESIDE = (1, 2, 3, 5, 10)  # numbers of frames whose worth is shown for comparison
_MOST_CHARACTERS = 50  # of an image's name in that of its picture: file names may have 255 bytes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc audit``."""
    parser.add_argument("--ckpt_path", type=Path, required=True, metavar="C", help="a checkpoint of carcloc fit")
    parser.add_argument("--image_dir", type=Path, required=True, metavar="D", help="folder of the images")
    parser.add_argument("--json", type=Path, required=True, metavar="V.json", help="frames to pick from, such as val")
    parser.add_argument("--frames", type=int, default=3, metavar="N", help="how many to pick (default %(default)s)")
    parser.add_argument("--category", help="name or id of the category, where the file has several")
    parser.add_argument("--device", default="cpu", help="where to find the peaks (default %(default)s)")
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="a new folder for frames.json and pictures")


def run(args: argparse.Namespace) -> None:
    """Pick, write ``frames.json`` and a picture of each frame, and say what the frames would be worth.

    Raises:
        InputError: fewer frames than wanted that are not exhaustive yet; an output folder that exists; a checkpoint
            or a file that cannot be used.
    """
    try:
        known = read_coco(args.json, args.image_dir, category=args.category)
    except InputError as error:
        raise InputError(str(error).replace("data.category", "--category")) from error
    frames = [frame for frame in known if not frame.exhaustive]
    if not 1 <= args.frames <= len(frames):
        raise InputError(f"{args.json}: has {len(frames)} frames that are not exhaustive; --frames is {args.frames}")
    if args.out_dir.exists():
        raise InputError(f"{args.out_dir}: exists; give a new folder")
    with new_folder(args.out_dir) as folder:  # first: where it cannot be made, nobody waits for the peaks
        peaks, probabilities, calibrated, threshold = _peaks(args, frames)
        chosen = choose_frames(probabilities, args.frames)
        _write(args, folder, [frames[i] for i in chosen], [peaks[i] for i in chosen], threshold)
    numbers = sorted({n for n in (*_BESIDE, args.frames) if n <= len(frames)})
    worths = [worth_of(probabilities, choose_frames(probabilities, n)) for n in numbers]
    print("\n".join(_report(args, [frames[i] for i in chosen], worths if calibrated else [])))


def _peaks(args: argparse.Namespace, frames: list[Frame]) -> tuple[list[Peaks], list[Float64], bool, float]:
    from carcinosis_loc.localizer import load  # brings torch along, which a wrong argument need not wait for

    find = load(args.ckpt_path, args.device)
    peaks = []
    for number, frame in enumerate(frames, 1):
        peaks.append(find(frame.path, threshold=0.0))
        if number % max(1, len(frames) // 10) == 0:
            print(f"audit {100 * number // len(frames):3d}%  {number}/{len(frames)} frames", flush=True)
    scale = find.calibration.scale if find.calibration else None
    probabilities = [np.asarray(scale.probability(p.scores) if scale else p.scores, np.float64) for p in peaks]
    shown = [one.above(find.threshold) for one in peaks]
    return shown, probabilities, scale is not None, find.threshold


def _write(args: argparse.Namespace, folder: Path, frames: list[Frame], peaks: list[Peaks], threshold: float) -> None:
    content = read_document(args.json)
    ids = {frame.image_id for frame in frames}
    content["images"] = [image | {"exhaustive": False} for image in content["images"] if image["id"] in ids]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] in ids]
    for frame, found in zip(frames, peaks, strict=True):
        marks, name = unjudged(found, frame.points), f"score \N{GREATER-THAN OR EQUAL TO} {threshold:.2f}"
        picture = sheet(read_image(frame.path), marks, name, f"{frame.file_name}, image id {frame.image_id}")
        write_bytes(folder / f"{frame.image_id}_{Path(frame.file_name).stem[:_MOST_CHARACTERS]}.png", png(picture))
    try:
        write_json(folder / "frames.json", content, indent=1)
    except InputError:
        raise
    except ValueError as error:  # somewhere in what is only carried along
        raise InputError(f"{args.json}: holds NaN or Infinity, which no JSON may; replace it with null") from error


def _report(args: argparse.Namespace, frames: list[Frame], worths: list[Worth]) -> list[str]:
    lines = [f"frames to mark exhaustively ({args.out_dir / 'frames.json'}, pictures beside it):"]
    lines += [f"  {frame.file_name} (image id {frame.image_id}, {len(frame.points)} labels so far)" for frame in frames]
    if worths:
        lines += ["a threshold chosen on them, against the best one, if the checkpoint's probabilities are right:"]
        lines += [
            f"  {worth.n_frames:3d} frames: {worth.mean:.3f} F1 lost on average, {worth.worst:.3f} in 1 of 20 cases"
            for worth in worths
        ]
    else:
        lines += ["what they would be worth cannot be told: the checkpoint holds no calibration"]
    lines += [
        'Add every object that is missing, set "exhaustive": true on the images, then:',
        f"  carcloc calibrate --ckpt_path {args.ckpt_path} --data.image_dir {args.image_dir} --data.val_json "
        f"{args.out_dir / 'frames.json'}",
    ]
    return lines
