"""Checkpoints: torn, rebuilt around another pickle, with other plain values, weights or state than they had."""

import copy
import io
import os
import pickle
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fuzz import Family, outcome, outcome_of_command
from sources import Source
from spots import draw_spots

import carcinosis_loc
from carcinosis_loc.models import HeatmapNet, HRNet, read_checkpoint
from carcinosis_loc.models.weights import load_weights
from carcinosis_loc.recipe import read_recipe

SMALL = {"width": 2, "stem_width": 2, "stem_blocks": 1, "modules": [1, 1, 1], "blocks": 1}
CLASSES = [
    "os.system",
    "builtins.eval",
    "carcinosis_loc.files.os.system",
    "carcinosis_loc.cli.main",
    "torch.optim.AdamW",
]
CLASSES += [
    "carcinosis_loc.losses.Hill",
    "carcinosis_loc.models.HRNet",
    "subprocess.Popen",
    "this.s",
    "torch.load",
    "x",
]
CLASSES += ["carcinosis_loc.study.execution.subprocess.Popen", "../x.yaml", "/etc/hostname", "torch.hub.load"]
HOW = ["recipe", "recipe", "recipe", "weights", "load", "load"]


class Bomb:
    """Leaves a mark when it is unpickled by something that runs code."""

    def __init__(self, call: Any = os.system, *arguments: Any) -> None:
        self.what = (call, arguments or ("touch went_off",))

    def __reduce__(self) -> Any:
        return self.what


@cache
def sound() -> bytes:
    """A checkpoint as ``carcloc fit`` writes it, of a network as small as can be, with the state of a training."""
    from carcinosis_loc.cli import main

    folder = Path("sound").resolve()
    if not (folder / "checkpoints" / "last.ckpt").exists():
        folder.mkdir()
        draw_spots(folder)
        assert main([*fit_words(folder), "--trainer.max_epochs", "1"]) == 0
    return (folder / "checkpoints" / "last.ckpt").read_bytes()


def fit_words(folder: Path) -> list[str]:
    """A fit in this folder of spots."""
    words = ["fit", "--config", "demo.yaml", "--wandb", "off", "--trainer.default_root_dir", str(folder)]
    words += ["--trainer.accelerator", "cpu", "--data.num_workers", "0", "--data.batch_size", "4"]
    words += ["--pictures.n_frames", "0"]
    words += ["--data.samples_per_epoch", "8", "--data.train_transform.init_args.crop_size_px", "32"]
    for key, value in SMALL.items():
        words += [f"--model.net.init_args.backbone.init_args.{key}", str(value)]
    data = {"image_dir": "images", "train_json": "train.json", "val_json": "val.json"}
    return words + [word for key, name in data.items() for word in (f"--data.{key}", str(folder / name))]


def _rebuilt(content: bytes, replaced: dict[str, bytes], compressed: bool) -> bytes:
    """The archive with other parts; their checksums are right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            short = part.split("/", 1)[1]
            data = replaced.get(short, old.read(part))
            new.writestr(part, data, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED)
    return out.getvalue()


def _pickles(source: Source) -> bytes:
    """A pickle that is none of a checkpoint, or would do something."""
    doubled: Any = ["x"]
    for _ in range(60):
        doubled = [doubled, doubled]
    looped: dict[str, Any] = {}
    looped["state_dict"] = looped["carcloc"] = looped
    objects = [Bomb(), {"state_dict": Bomb()}, Bomb(eval, "open('went_off', 'w')"), Bomb(bytearray, 10**12), Path("x")]
    objects += [{"state_dict": {}, "carcloc": {"recipe": doubled}}, looped, doubled, np.float64, Bomb(os.kill, 0, 0)]
    raw = [
        b"cos\nsystem\n(S'touch went_off'\ntR.",
        b"(S'touch went_off'\nios\nsystem\n.",
        b"\x80\x02]",
        b"\x80\x02" + b"(" * 9**5 + b".",
    ]
    raw += [
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x0f.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02h\x09.",
        b"\x80\x02}" + b"]" * 10**5 + b".",
    ]
    if source.one_in(2):
        return source.damaged(source.pick(raw), one_in=3)
    return source.damaged(pickle.dumps(source.pick(objects), source.pick([0, 2, 4])), one_in=4)


def _edited(source: Source) -> bytes:
    content = torch.load(io.BytesIO(sound()), weights_only=True)
    for _ in range(source.integer(1, 2)):
        _edit(source, content)
    out = io.BytesIO()
    torch.save(content, out, pickle_protocol=2) if source.one_in(8) else torch.save(content, out)
    return out.getvalue()


def _edit(source: Source, content: Any) -> None:
    place: Any = content
    if not isinstance(content, dict) or not content:
        return
    if isinstance(content.get("carcloc"), dict) and not source.one_in(3):
        place = content["carcloc"]
    while True:
        keys = sorted(place, key=str) if isinstance(place, dict) else list(range(len(place)))
        key = source.pick(keys)
        if isinstance(place[key], dict | list) and place[key] and not source.one_in(6):
            place = place[key]
            continue
        kind = source.integer(0, 6)
        if kind == 0:
            del place[key]
        elif kind == 1 and isinstance(place, dict):
            place[source.pick(["class_path", "init_args", "config", "hyper_parameters", "..", "net.x"])] = copy.copy(
                place[key]
            )
        elif kind == 2:
            place[key] = source.pick(CLASSES)
        elif kind == 3:
            place[key] = source.pick([0, -1, 1, 7, 1000, 1024, 10**9, 10**15, 1e-9, [10**9, 10**9], [1024] * 3])
        elif kind == 4 and isinstance(place[key], torch.Tensor):
            tensors = [
                torch.zeros(1).expand(10**12),
                torch.tensor(float("nan")),
                torch.zeros(0),
                torch.zeros(3, dtype=torch.bool),
            ]
            tensors += [torch.full(place[key].shape, 7), torch.full(place[key].shape, 1j), torch.eye(3).to_sparse()]
            place[key] = source.pick(tensors)
        else:
            place[key] = source.odd()
        return


def checkpoints(source: Source) -> tuple[str, bytes]:
    """What is done with a checkpoint, and its content."""
    kind = source.integer(0, 5)
    if kind == 0:
        content = source.damaged(sound())
    elif kind == 1:
        content = _rebuilt(sound(), {"data.pkl": _pickles(source)}, compressed=source.one_in(8))
    elif kind == 2:
        part = source.pick(["data/0", "data/1", "byteorder", "version", "data.pkl"])
        data = source.pick([b"", b"\xff" * 64, b"\0" * 10**7, b"9" * 10])
        content = _rebuilt(sound(), {part: data}, compressed=source.one_in(2))
    elif kind == 3 and source.one_in(2):
        out = io.BytesIO()
        torch.save({"state_dict": {"x": torch.zeros(3)}}, out, _use_new_zipfile_serialization=False)
        content = source.damaged(out.getvalue(), one_in=2)
    else:
        content = _edited(source)
    return source.pick(HOW), content


def attempt(case: tuple[str, bytes], folder: Path) -> str:
    """Read its recipe, take its weights to start from, or load it and find points."""
    how, content = case
    path = folder / "x.ckpt"
    path.write_bytes(content)
    call = {"recipe": lambda: read_recipe(path), "weights": lambda: _start_from(path), "load": lambda: _find(path)}[how]
    ended = outcome(call)
    assert not Path("went_off").exists(), "it went off"
    return ended


def _start_from(path: Path) -> None:
    read_checkpoint(path)
    load_weights(HeatmapNet(HRNet(**SMALL)), path)


def _find(path: Path) -> None:
    peaks = carcinosis_loc.load(path)(np.zeros((40, 50, 3), np.uint8))
    assert np.isfinite(peaks.scores).all()


def commands(source: Source) -> tuple[str, bytes]:
    """A command, and the checkpoint that it is given."""
    return source.pick(["predict", "test", "fit", "fit", "init"]), checkpoints(source)[1] if source.one_in(
        4
    ) else _edited(source)


def run(case: tuple[str, bytes], folder: Path) -> str:
    """The whole command line with the checkpoint."""
    command, content = case
    spots, path = Path("sound").resolve(), folder / "checkpoints" / "x.ckpt"
    path.parent.mkdir()
    path.write_bytes(content)
    sound()
    device = ["--trainer.accelerator", "cpu", "--trainer.devices", "1", "--data.num_workers", "0"]
    image = str(spots / "images" / "test_0.png")
    other = ["--trainer.default_root_dir", str(folder / "run"), "--trainer.max_epochs", "2"]
    words = {
        "predict": ["predict", "--ckpt_path", str(path), "--data.predict_source", image, *device],
        "test": [
            "test",
            "--ckpt_path",
            str(path),
            "--data.image_dir",
            str(spots / "images"),
            "--wandb",
            "off",
            *device,
            "--data.test_json",
            str(spots / "test.json"),
        ],
        "fit": [*fit_words(spots), *other, "--ckpt_path", str(path)],
        "init": [
            *fit_words(spots),
            *other,
            "--trainer.fast_dev_run",
            "1",
            "--model.net.init_args.init_checkpoint",
            str(path),
        ],
    }[command]
    ended = outcome_of_command(words)
    assert not Path("went_off").exists(), "it went off"
    assert path.exists(), "the checkpoint is gone"
    return ended


FAMILIES = [Family("checkpoints", checkpoints, attempt), Family("checkpoints in commands", commands, run)]
