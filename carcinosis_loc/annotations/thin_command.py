"""``carcloc thin``: make sparse labels out of dense ones."""

import argparse
import re
from dataclasses import fields
from pathlib import Path

from carcinosis_loc.annotations.contrast import OBJECT_RADIUS_PX
from carcinosis_loc.annotations.thinning import count_points
from carcinosis_loc.annotations.thinning_of_files import thin_file
from carcinosis_loc.annotations.thinning_rule import Thinning
from carcinosis_loc.annotations.whole_frames import whole_frames_file
from carcinosis_loc.errors import InputError

_OPTIONS = [field.name for field in fields(Thinning)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc thin``."""
    parser.add_argument("in_json", type=Path, metavar="IN.json", help="dense labels, COCO keypoints")
    parser.add_argument("out_json", type=Path, metavar="OUT.json", help="sparse labels, a new file")
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--keep-share", type=float, metavar="SHARE", help="keep this share of the points, 0 to 1")
    number.add_argument("--per-frame", type=int, metavar="N", help="keep N points on an image, at most")
    number.add_argument(
        "--whole-frames", type=int, metavar="N", help="keep N images, drawn at random, with all their points"
    )
    parser.add_argument(
        "--conspicuous-first",
        action="store_true",
        help="keep the most conspicuous points, not random ones: by 'conspicuity', else by 'area', or see --image-dir",
    )
    parser.add_argument(
        "--image-dir",
        type=Path,
        metavar="DIR",
        help="folder of the images: the most conspicuous are then those whose colour differs most from what is around",
    )
    parser.add_argument(
        "--object-radius-px",
        type=float,
        metavar="R",
        help=f"with --image-dir: compare a disc of R pixels with the ring around it (default {OBJECT_RADIUS_PX:g})",
    )
    parser.add_argument(
        "--one-per-cluster-px", type=float, metavar="R", help="of points closer than R pixels, keep one at most"
    )
    parser.add_argument(
        "--fewer-are-whole",
        action="store_true",
        help="an image that has fewer than --per-frame N points stays exhaustive: who was asked for N has marked all",
    )
    parser.add_argument(
        "--some-whole",
        type=int,
        default=0,
        metavar="N",
        help="N images, drawn at random of those on which points are left out, keep all and stay exhaustive",
    )
    parser.add_argument(
        "--jitter-px", type=float, default=0.0, metavar="S", help="move points by a Gaussian of S pixels"
    )
    parser.add_argument(
        "--false-share", type=float, default=0.0, metavar="F", help="add false points, F for each point kept"
    )
    parser.add_argument(
        "--false-distance-px",
        type=float,
        default=10.0,
        metavar="D",
        help="keep false points D pixels away from all true ones (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same labels (default %(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.json if it exists")


def run(args: argparse.Namespace) -> None:
    """Thin the file and print one line about it.

    Raises:
        InputError: see ``thin_file`` and ``whole_frames_file``.
    """
    if args.whole_frames is not None:
        flags = (args.conspicuous_first, args.fewer_are_whole, args.some_whole, args.jitter_px, args.false_share)
        values = (args.one_per_cluster_px, args.image_dir, args.object_radius_px)
        if any(flags) or any(value is not None for value in values):
            raise InputError("--whole-frames keeps all points as they are; give it with --seed alone")
        kept = whole_frames_file(args.in_json, args.out_json, args.whole_frames, args.seed, overwrite=args.overwrite)
        print(f"{args.out_json}: {count_points(kept)} points, all of {len(kept['images'])} images")
        return
    options = {name: getattr(args, name) for name in _OPTIONS}
    try:
        Thinning(**options)
    except InputError as error:
        raise _with_flags(error) from error
    if args.image_dir is not None and not args.conspicuous_first:
        raise InputError("--image-dir tells what is conspicuous; give --conspicuous-first too")
    if args.object_radius_px is not None and args.image_dir is None:
        raise InputError("--object-radius-px is looked at in images; give --image-dir too")
    where = {
        "image_dir": args.image_dir,
        "object_radius_px": OBJECT_RADIUS_PX if args.object_radius_px is None else args.object_radius_px,
    }
    try:
        sparse = thin_file(args.in_json, args.out_json, overwrite=args.overwrite, **where, **options)
    except InputError as error:
        raise _with_flags(error, *filter(None, (args.image_dir, args.in_json, args.out_json))) from error
    images, points = len(sparse["images"]), count_points(sparse)
    whole = sum(image["exhaustive"] for image in sparse["images"])
    false = sum(bool(annotation.get("false_point")) for annotation in sparse["annotations"])
    print(
        f"{args.out_json}: {points} points on {images} images, {points / max(images, 1):.1f} an image"
        + (f"; {false} of the points are false" if false else "")
        + (f"; whole images: {whole}" if args.fewer_are_whole or args.some_whole else "")
    )
    wanted = args.false_share * (points - false)
    if false < 0.9 * wanted - images:  # each image's share is rounded by chance
        print(
            f"some {wanted:.0f} false points were asked for; there is no room for more that are "
            f"{args.false_distance_px:g} px from all true ones"
        )
    if args.keep_share is None and args.per_frame is None and args.one_per_cluster_px is None:
        print("nothing was left out: --per-frame, --keep-share or --one-per-cluster-px says what to keep")


def _with_flags(error: InputError, *paths: Path) -> InputError:
    """The same in flags: it names arguments; who typed them knows flags. These paths stay as they are."""
    names = "|".join([*_OPTIONS, r"(?:data\.)?image_dir", "object_radius_px"])
    kept = "|".join([r"(?!)", *(re.escape(str(path)) for path in paths)])
    found = re.compile(rf"(?<!\w)(?:(?P<path>{kept})|{names})(?!\w)")
    flags = found.sub(lambda one: one[0] if one["path"] else f"--{one[0].split('.')[-1].replace('_', '-')}", str(error))
    return InputError(flags)
