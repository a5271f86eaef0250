"""Configs that are nearly right: wrong keys and values, YAML's own tricks, and what would build arbitrary objects."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from fuzz import Family, outcome, outcome_of_command
from sources import Source
from spots import draw_spots

from carcinosis_loc.configs import find_config, shipped_folder

SHIPPED = {path.name: yaml.safe_load(path.read_text()) for path in sorted(shipped_folder().glob("*.yaml"))}
BOMB = "touch went_off"
TRICKS = [
    f'a: !!python/object/apply:os.system ["{BOMB}"]',
    f"a: !!python/object/new:os.system [{BOMB}]",
    "a: !!python/name:os.system",
    "a: !!python/module:os",
    "a: !!python/tuple [1]",
    "a: !!set {1, 2}",
    "a: !!binary aGVsbG8=",
    "a: !!timestamp 2001-12-14t21:59:43.10-05:00",
    "a: !unknown x",
    "a: &a [*a]",
    "? [1, 2]\n: 3",
    "1: 2",
    "null: 2",
    "a: 1\n---\na: 2",
    "%YAML 9.9\n---\na: 1",
    "<<: *nowhere",
    "<<: [1]",
    "a: 0x1F\nb: 1_000\nc: 12:30:45\nd: .inf\ne: 0o17\nf: .nan",
    "a: " + "9" * 5000,
    "a: " + "[" * 2000,
    "{" * 2000,
    "- " * 2000,
    "a: 'x" + "\\" * 50,
    "\t- a",
    "@",
    "a: ${oc.env:HOME}",
    "model: {loss: {class_path: os.system}}",
    "model: {loss: {class_path: carcinosis_loc.files.os.system}}",
    "model: {loss: {class_path: subprocess.Popen, init_args: {args: [touch, went_off]}}}",
    "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.LambdaCallback,"
    " init_args: {on_fit_start: os.abort}}]}",
    "model: {optimizer: os.system}",
    "model: {scheduler: os.abort}",
    "model: /etc/hostname",
    "data: http://localhost:1/x.yaml",
    "trainer: s3://bucket/x.yaml",
    "config: /etc/hostname",
    "seed_everything: -1",
    "seed_everything: x",
    "wandb: online2",
    "trainer: {max_epochs: -2, devices: 99999, accelerator: tpu, precision: 7}",
    "trainer: {strategy: nonsense}",
    "model: {net: {init_args: {backbone: {init_args: {width: 1024, modules: [1024, 1024, 1024], blocks: 1024}}}}}",
    "model: {net: {init_args: {backbone: {init_args: {width: 1024}}}}}",
    "data: {image_size: [1000000000, 1000000000]}",
    "data: {batch_size: 1000000000000}",
    "data: {num_workers: -1}",
]


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def configs(source: Source, names: Sequence[str] = tuple(SHIPPED)) -> bytes:
    """A config's text."""
    if source.one_in(4):
        trick = source.pick([*TRICKS, _laughs(source.integer(2, 30))])
        return source.damaged(trick.encode("utf-8"), one_in=8)
    config = copy.deepcopy(SHIPPED[source.pick(names)])
    for _ in range(source.integer(0, 2)):
        _edit(source, config)
    text = yaml.safe_dump(config, allow_unicode=source.one_in(2)).encode("utf-8", "surrogatepass")
    return source.damaged(text, one_in=3)


def _edit(source: Source, config: Any) -> None:
    place = config
    while isinstance(place, dict) and place:
        key = source.pick(sorted(place, key=str))
        inner = place[key]
        if isinstance(inner, dict) and inner and not source.one_in(6):
            place = inner
            continue
        kind = source.integer(0, 3)
        if kind == 0:
            del place[key]
        elif kind == 1:
            place[f"{key}x"] = place.pop(key)
        else:
            place[key] = source.odd()
        return


def small_configs(source: Source) -> bytes:
    """A config whose training takes a moment, where nothing is wrong with it."""
    return configs(source, ("demo.yaml", "hrnet_small.yaml", "teacher.yaml"))


def read(case: bytes, folder: Path) -> str:
    """Find and read the file, as every command does first."""
    (folder / "config.yaml").write_bytes(case)
    ended = outcome(lambda: find_config(str(folder / "config.yaml")))
    assert not Path("went_off").exists(), "it went off"
    return ended


def fit(case: bytes, folder: Path) -> str:
    """One batch of training with it, on a sound config where it leaves something out."""
    spots = folder.parent / "spots"
    if not spots.exists():
        spots.mkdir()
        draw_spots(spots)
    (folder / "config.yaml").write_bytes(case)
    data = {"image_dir": "images", "train_json": "train.json", "val_json": "val.json"}
    words = [word for key, name in data.items() for word in (f"--data.{key}", str(spots / name))]
    words += ["--trainer.accelerator", "cpu", "--trainer.devices", "1", "--data.num_workers", "0", "--wandb", "off"]
    words += [
        "--trainer.fast_dev_run",
        "1",
        "--trainer.default_root_dir",
        str(folder / "run"),
        "--data.batch_size",
        "2",
    ]
    words += ["--pictures.n_frames", "0"]
    small = ["--config", "hrnet_small.yaml"]
    ended = outcome_of_command(
        ["fit", "--config", "demo.yaml", *small, "--config", str(folder / "config.yaml"), *words]
    )
    assert not Path("went_off").exists(), "it went off"
    return ended


FAMILIES = [Family("configs", configs, read), Family("configs in a fit", small_configs, fit)]
