"""``carcloc export``: a checkpoint as a file that runs without carcloc."""

import argparse
from collections.abc import Callable
from pathlib import Path

from carcinosis_loc.errors import InputError

_Written = tuple[tuple[int, int] | None, float]  # the size that images are letterboxed to, the largest difference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``carcloc export``."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a checkpoint of carcloc fit")
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="the file to write: .onnx runs without PyTorch; .ts (TorchScript) needs it",
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="most points of an image (default: the checkpoint's)")


def run(args: argparse.Namespace) -> None:
    """Export, hold the file against PyTorch, and only then put it in its place.

    Raises:
        InputError: the checkpoint cannot be used, a package is missing, the suffix is unknown, or ``--top-k`` is
            below 1.
    """
    write = _WRITERS.get(args.out.suffix)
    if write is None:
        raise InputError(f"{args.out}: the name must end with .onnx (ONNX) or .ts (TorchScript)")
    if args.top_k is not None and args.top_k < 1:
        raise InputError(f"--top-k must be 1 or more, not {args.top_k}")
    existed = args.out.exists()
    size, difference = write(args.checkpoint, args.out, args.top_k)
    print(
        f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, any batch"
        + (f", images letterboxed to {size[0]} x {size[1]}" if size else ", images of any size")
        + ("; the earlier file is replaced" if existed else "")
    )
    print(f"held against PyTorch on images of three sizes: logits differ by {difference:.1e} at most")


# What they import brings torch along, which a wrong argument need not wait for.


def _write_onnx(checkpoint: Path, out: Path, top_k: int | None) -> _Written:
    from carcinosis_loc.export.reading import needed

    for package in ("onnx", "onnxscript", "onnxruntime"):
        needed(package, out)
    from carcinosis_loc.export.comparing import largest_difference
    from carcinosis_loc.export.model import ExportedModel
    from carcinosis_loc.export.trained import read_trained
    from carcinosis_loc.export.writing import onnx_model
    from carcinosis_loc.files import atomic_path

    trained = read_trained(checkpoint, top_k)
    with atomic_path(out) as path:
        path.write_bytes(onnx_model(trained).SerializeToString())
        exported = ExportedModel(path)
        difference = largest_difference(trained.net, lambda image, valid: exported(image, valid).logits)
    return trained.metadata.image_size, difference


def _write_torchscript(checkpoint: Path, out: Path, top_k: int | None) -> _Written:
    from carcinosis_loc.export.comparing import largest_difference
    from carcinosis_loc.export.torchscript import answers, torchscript_file
    from carcinosis_loc.export.trained import read_trained
    from carcinosis_loc.files import atomic_path

    trained = read_trained(checkpoint, top_k)
    with atomic_path(out) as path:
        path.write_bytes(torchscript_file(trained))
        difference = largest_difference(trained.net, answers(path))
    return trained.metadata.image_size, difference


_WRITERS: dict[str, Callable[[Path, Path, int | None], _Written]] = {".onnx": _write_onnx, ".ts": _write_torchscript}
