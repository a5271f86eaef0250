"""Where predictions come from: ``provenance.json``, the key frames, and what a test of the same run measured."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from carcinosis_loc.annotations.fields import Entry, entries, is_number, shown
from carcinosis_loc.errors import InputError
from carcinosis_loc.report.documents import inner_path, read_json, read_object
from carcinosis_loc.report.times import LONGEST_S

_TEXTS = ("version", "commit", "checkpoint", "checkpoint_sha256", "threshold_rule", "source", "created")
_NUMBERS = ("threshold", "score_floor", "match_radius_px")


def read_provenance(path: Path) -> dict[str, Any]:
    """The known keys of ``provenance.json``, checked; empty where the folder has none.

    Raises:
        InputError: the file is damaged, or a value is of another kind.
    """
    if not path.exists():
        return {}
    document = read_object(path)
    known = {key: document.get(key) for key in (*_TEXTS, *_NUMBERS)}
    for key, value in known.items():
        right = isinstance(value, str) if key in _TEXTS else is_number(value)
        if value is not None and not right:
            raise InputError(f'{path}: "{key}" must be a {"text" if key in _TEXTS else "number"}, not {shown(value)}')
    if known["threshold"] is not None and not 0 <= known["threshold"] <= 1:
        raise InputError(f'{path}: "threshold" must lie in [0, 1], not {shown(known["threshold"])}')
    scale = document.get("score_scale")
    if scale is not None and not (isinstance(scale, list) and len(scale) == 2 and all(map(is_number, scale))):
        raise InputError(f'{path}: "score_scale" must be two numbers, slope and offset, not {shown(scale)}')
    if scale is not None:
        known["score_scale"] = scale
    return known | {"videos": [_video(one) for one in entries({"videos": [], **document}, "videos", path)]}


def _video(entry: Entry) -> dict[str, Any]:
    name, duration_s = entry.required("file_name"), entry.fields.get("duration_s")
    if not isinstance(name, str):
        raise entry.error(f'"file_name" must be a text, not {shown(name)}')
    if duration_s is not None and not (is_number(duration_s) and 0 <= duration_s <= LONGEST_S):
        raise entry.error(f'"duration_s" must be a number of seconds from 0 to {LONGEST_S:g}, not {shown(duration_s)}')
    fields = entry.fields
    reason = fields.get("broke_off")
    return {
        "file_name": name,
        "duration_s": duration_s,
        "every_nth": fields.get("every_nth") if is_number(fields.get("every_nth")) else None,
        "complete": fields.get("complete", True) is not False,
        "broke_off": reason if isinstance(reason, str) else None,
    }


def read_key_frames(folder: Path, index: Mapping[int, int]) -> tuple[list[tuple[int, Path]], bool]:
    """Each key frame's index and picture, in the order of the frames; and whether they were chosen for clearness too.

    Raises:
        InputError: the list is damaged, names a frame that is not listed, or a picture that is missing or elsewhere.
    """
    path = folder / "key_frames.json"
    if not path.exists():
        return [], False
    document = {"key_frames": read_json(path)}
    listed, clear = [], []
    for entry in entries(document, "key_frames", path):
        image_id, name = entry.integer("image_id"), entry.required("file")
        if image_id not in index:
            raise entry.error(f"no image {image_id} in images.json; the files do not belong together")
        picture = inner_path(folder, entry, name)
        if not picture.is_file():
            raise entry.error(f"{shown(name)}: there is no such picture; run carcloc predict again")
        listed.append((index[image_id], picture))
        clear.append("clearness" in entry.fields)  # which carcloc did not know at first
    return sorted(listed), bool(clear) and all(clear)


def measured(folder: Path, provenance: Mapping[str, Any]) -> dict[str, Any] | None:
    """``metrics.json`` of the run beside the predictions, if its test was of the checkpoint that made them.

    The checkpoint is known by its SHA-256 and the test by the name that its configuration gives.
    """
    run, name = folder.resolve().parent, provenance.get("checkpoint")
    checkpoint = run / "checkpoints" / str(name)
    config = run / "config_test.yaml"
    if name is None or not all(path.is_file() for path in (run / "metrics.json", checkpoint, config)):
        return None
    with checkpoint.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != provenance.get("checkpoint_sha256"):
            return None
    try:
        tested = yaml.safe_load(config.read_text(encoding="utf-8"))["ckpt_path"]
        metrics = read_object(run / "metrics.json")
    except (OSError, yaml.YAMLError, KeyError, TypeError, InputError):
        return None  # the figures are an addition; the predictions stand without them
    return metrics if Path(str(tested)).name == name and is_number(metrics.get("f1")) else None
