"""``carcloc synth``: make synthetic laparoscopy."""

import argparse
from pathlib import Path

from carcinosis_loc.synthetic.dataset import write_dataset
from carcinosis_loc.synthetic.video_dataset import write_videos


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc synth``."""
    parser.add_argument(
        "out_dir", type=Path, metavar="OUT_DIR", help="folder for images/ (or videos/) and annotations/"
    )
    for split, count in (("train", 400), ("val", 60), ("test", 60)):
        parser.add_argument(f"--n-{split}", type=int, default=count, help="frames (default %(default)s)")
    parser.add_argument("--height", type=int, default=192, help="pixels (default %(default)s)")
    parser.add_argument("--width", type=int, default=192, help="pixels (default %(default)s)")
    parser.add_argument(
        "--labels-per-frame",
        type=int,
        default=5,
        help="labels on a frame in the sparse files (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default %(default)s)")
    parser.add_argument("--workers", type=int, default=0, help="processes; 0 is one a core (default)")
    parser.add_argument(
        "--backgrounds", type=Path, metavar="DIR", help="paint nodules on the lesion-free pictures in DIR"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier data set in OUT_DIR")
    video = parser.add_argument_group("videos, in place of frames")
    video.add_argument("--video", action="store_true", help="make videos in which the identity of each nodule is known")
    video.add_argument("--n-videos", type=int, default=3, help="each is another patient (default %(default)s)")
    video.add_argument("--seconds", type=float, default=20.0, help="length of a video (default %(default)s)")
    video.add_argument("--fps", type=float, default=10.0, help="frames a second (default %(default)s)")


def run(args: argparse.Namespace) -> None:
    """Make the data set and print one line about it.

    Raises:
        InputError: see ``write_dataset`` and ``write_videos``.
    """
    if args.video:
        _run_video(args)
        return
    summary = write_dataset(
        args.out_dir,
        n_train=args.n_train,
        n_val=args.n_val,
        n_test=args.n_test,
        height=args.height,
        width=args.width,
        labels_per_frame=args.labels_per_frame,
        seed=args.seed,
        workers=args.workers,
        backgrounds=args.backgrounds,
        overwrite=args.overwrite,
    )
    frames = ", ".join(f"{counts['frames']} {split}" for split, counts in summary.items())
    total = sum(counts["frames"] for counts in summary.values())
    points = sum(counts["points"] for counts in summary.values())
    print(
        f"{args.out_dir}: {total} frames ({frames}), {points} nodules, {points / total:.1f} a frame, "
        f"up to {args.labels_per_frame} of them labelled in the sparse files"
    )


def _run_video(args: argparse.Namespace) -> None:
    summary = write_videos(
        args.out_dir,
        n_videos=args.n_videos,
        seconds=args.seconds,
        fps=args.fps,
        height=args.height,
        width=args.width,
        seed=args.seed,
        overwrite=args.overwrite,
    )
    frames, points, unique = (sum(counts[key] for counts in summary.values()) for key in ("frames", "points", "unique"))
    print(
        f"{args.out_dir}: {len(summary)} videos, {frames} frames, {unique} unique nodules, {points} sightings of them, "
        f"{points / frames:.1f} a frame"
    )
