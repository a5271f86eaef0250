"""``carcloc export``: a checkpoint as a file that runs without PyTorch."""

import argparse
from pathlib import Path

from carcinosis_loc.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc export``."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint of carcloc fit")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write, .onnx (replaced if it exists)")


def run(args: argparse.Namespace) -> None:
    """Export, hold the file against PyTorch, and only then put it in its place.

    Raises:
        InputError: the checkpoint cannot be used, a package is missing, or the suffix is unknown.
    """
    if args.out.suffix != ".onnx":
        raise InputError(f"{args.out}: the name must end with .onnx")
    from carcinosis_loc.export.reading import needed  # brings torch along, which a wrong argument need not wait for

    for package in ("onnx", "onnxscript", "onnxruntime"):
        needed(package, args.out)
    from carcinosis_loc.export.comparing import largest_difference
    from carcinosis_loc.export.writing import onnx_model, read_trained
    from carcinosis_loc.files import atomic_path

    trained = read_trained(args.checkpoint)
    existed = args.out.exists()
    with atomic_path(args.out) as path:
        path.write_bytes(onnx_model(trained).SerializeToString())
        difference = largest_difference(trained.net, path)
    size = trained.metadata.image_size
    print(
        f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, any batch"
        + (f", images letterboxed to {size[0]} x {size[1]}" if size else ", images of any size")
        + ("; the earlier file is replaced" if existed else "")
    )
    print(f"held against PyTorch on images of three sizes: logits differ by {difference:.1e} at most")
