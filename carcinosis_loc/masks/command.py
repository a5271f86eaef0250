"""``carcloc masks2points``: a folder of pictures with masks becomes frames with points."""

import argparse
from pathlib import Path

from carcinosis_loc.configs import shipped_folder
from carcinosis_loc.masks.build import build, sources, whole
from carcinosis_loc.masks.cuts import Cut, read_cuts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc masks2points``."""
    parser.add_argument("image_dir", type=Path, metavar="IMAGE_DIR", help="pictures; folders in it are searched")
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="a new folder for images/ and annotations/")
    parser.add_argument(
        "--mask-dir", type=Path, metavar="DIR", help="masks, named as the pictures (default: masks/ beside images/)"
    )
    parser.add_argument("--mask-suffix", default="", metavar="S", help="what a mask's name has more, such as _EX")
    parser.add_argument("--min-area-px", type=int, default=1, metavar="N", help="leave smaller objects out")
    parser.add_argument("--cuts", metavar="CUTS.csv", help="which part becomes which frame; a file, or one shipped")
    parser.add_argument("--category", default="nodule", help="name of the objects (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Build and say what was built.

    Raises:
        InputError: see ``build``.
    """
    pictures = sources(args.image_dir)
    counts = build(
        pictures,
        _cuts(args.cuts) if args.cuts else whole(pictures),
        args.out_dir,
        mask_dir=args.mask_dir,
        mask_suffix=args.mask_suffix,
        min_area_px=args.min_area_px,
        category=args.category,
    )
    for path, (images, points) in counts.items():
        print(f"{path}: {images} images, {points} points")


def _cuts(name: str) -> list[Cut]:
    given = Path(name)
    return read_cuts(given if given.is_file() else shipped_folder() / "benchmarks" / name)
