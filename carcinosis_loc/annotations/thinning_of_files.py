"""Thinning from file to file."""

import json
from pathlib import Path
from typing import Any

from carcinosis_loc.annotations.checks import Coco
from carcinosis_loc.annotations.contrast import OBJECT_RADIUS_PX, with_contrast
from carcinosis_loc.annotations.document import Document
from carcinosis_loc.annotations.thinning import thin
from carcinosis_loc.errors import InputError
from carcinosis_loc.files import write_json


def thin_file(
    in_json: str | Path,
    out_json: str | Path,
    *,
    image_dir: Path | None = None,
    object_radius_px: float = OBJECT_RADIUS_PX,
    overwrite: bool = False,
    **how: Any,
) -> Coco:
    """Thin the file ``in_json`` and write ``out_json``, whole or not at all; gives what was written.

    Args:
        in_json: dense labels.
        out_json: where to write.
        image_dir: where the images are, to measure in them how far each object stands out, see ``with_contrast``.
        object_radius_px: see ``with_contrast``.
        overwrite: replace ``out_json``.
        how: the arguments of ``Thinning``.

    Raises:
        InputError: as ``thin`` and ``with_contrast``; or ``in_json`` cannot be read, or ``out_json`` is the same
            file, or exists and ``overwrite`` is not set.
    """
    in_json, out_json = Path(in_json), Path(out_json)
    dense = read_dense(in_json, out_json, overwrite)
    if image_dir is not None:
        dense = with_contrast(dense, in_json, image_dir, object_radius_px)
    return write_thinned(in_json, out_json, thin(dense, source=str(in_json), **how))


def read_dense(in_json: Path, out_json: Path, overwrite: bool) -> Any:
    """What is in ``in_json``, once it is clear that ``out_json`` may be written; raises as ``thin_file``."""
    if out_json.resolve() == in_json.resolve():
        raise InputError(f"{out_json}: is the input itself; name another file for the sparse labels")
    if (out_json.exists() or out_json.is_symlink()) and not overwrite:
        raise InputError(f"{out_json}: exists already; name another file, or overwrite it with --overwrite")
    return _read(in_json)


def write_thinned(in_json: Path, out_json: Path, thinned: Coco) -> Coco:
    """Write it, whole or not at all; raises as ``thin_file``."""
    try:
        write_json(out_json, thinned)
    except InputError:
        raise
    except ValueError as error:  # somewhere in what is only carried along
        raise InputError(f"{in_json}: holds NaN or Infinity, which no JSON may; replace it with null") from error
    return thinned


def _read(path: Path) -> Any:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is no ordinary file; name a COCO keypoint file")
    try:
        document = json.loads(path.read_bytes())
        if isinstance(document, dict):
            Document(path)  # which refuses a key that is there twice
        return document
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a COCO keypoint file") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON ({error}); name a COCO keypoint file") from error
