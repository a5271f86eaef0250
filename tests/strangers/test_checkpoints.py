"""A stranger's checkpoint cannot run code, choose classes, or have files removed, whichever command reads it."""

import json
import os
import zipfile

import pytest
import torch
from tiny_run import fit_words

import carcinosis_loc
from carcinosis_loc.callbacks import BestCheckpoint, LastCheckpoint
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.look import Look
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.models import read_checkpoint
from carcinosis_loc.recipe import read_recipe
from carcinosis_loc.trust import is_ours


class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {os.environ['MARK']}",)


@pytest.fixture
def content(fitted):
    return torch.load(fitted, weights_only=True)


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """The file that a bomb leaves when it goes off."""
    monkeypatch.setenv("MARK", str(tmp_path / "went_off"))
    return tmp_path / "went_off"


COMMANDS = ["predict", "test", "validate", "calibrate", "audit", "fit", "fit last", "init_checkpoint"]


def words_with(command, path, spots, tiny, tmp_path):
    where = ["--data.image_dir", str(spots / "images")]
    fit = fit_words(spots, tiny, path.parents[1])
    return {
        "predict": ["predict", "--ckpt_path", str(path), "--data.predict_source", str(spots / "images")],
        "test": ["test", "--ckpt_path", str(path), *where, "--data.test_json", str(spots / "test.json")],
        "validate": ["validate", "--ckpt_path", str(path), *where, "--data.val_json", str(spots / "val.json")],
        "calibrate": ["calibrate", "--ckpt_path", str(path), *where, "--data.val_json", str(spots / "val.json")],
        "audit": [
            "audit",
            "--ckpt_path",
            str(path),
            "--image_dir",
            str(spots / "images"),
            "--json",
            str(spots / "val.json"),
            str(tmp_path / "out"),
        ],
        "fit": [*fit, "--ckpt_path", str(path)],
        "fit last": [*fit, "--ckpt_path", "last"],
        "init_checkpoint": [
            *fit_words(spots, tiny, tmp_path / "new"),
            "--model.net.init_args.init_checkpoint",
            str(path),
        ],
    }[command]


def refused(words, capsys):
    """The one line that a command is refused with."""
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_sets_a_bomb_off(command, content, spots, tiny, tmp_path, capsys, mark):
    content["state_dict"]["net.head.bias"] = Bomb()
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    line = refused(words_with(command, path, spots, tiny, tmp_path), capsys)
    assert f"{path}: refused" in line
    assert not mark.exists()
    torch.load(path, weights_only=False)  # it is one
    assert mark.exists()


@pytest.mark.parametrize("command", ["predict", "test"])
def test_hyper_parameters_do_not_choose_the_model(command, content, spots, tiny, tmp_path, capsys):
    """Lightning's own command line would put them in the place of the model, past the check of the recipe."""
    content["hyper_parameters"] = {"net": {"class_path": "this.Zen"}, "match_radius_px": 77.0}
    path = tmp_path / "run" / "checkpoints" / "x.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    more = ["--wandb", "off"] if command == "test" else []
    words = [
        *words_with(command, path, spots, tiny, tmp_path),
        "--data.num_workers",
        "0",
        "--trainer.accelerator",
        "cpu",
    ]
    assert main([*words, *more]) == 0
    capsys.readouterr()
    if command == "test":
        assert json.loads((tmp_path / "run" / "metrics.json").read_text())["match_radius_px"] == 6.0


@pytest.mark.parametrize("kind", [BestCheckpoint, LastCheckpoint])
@pytest.mark.parametrize("name", ["..", "../..", "config.yaml", "/etc/passwd", "", "s3://bucket/x.ckpt"])
def test_a_checkpoint_cannot_have_files_removed(kind, name, tmp_path):
    """Lightning removes what a checkpoint names as the best one so far, folders and all."""
    callback = kind(tmp_path / "checkpoints")
    state = callback.state_dict() | {"best_k_models": {name: torch.tensor(0.1)}, "kth_best_model_path": name}
    callback.load_state_dict(state | {"best_model_path": name, "last_model_path": name})
    own = str(tmp_path / "checkpoints" / f"{callback.filename}.ckpt")
    assert set(callback.best_k_models) == ({own} if kind is BestCheckpoint else set())
    assert {callback.best_model_path, callback.kth_best_model_path, callback.last_model_path} <= {own, ""}


@pytest.mark.parametrize(
    "name", ["os.system", "carcinosis_loc.files.os.system", "carcinosis_loc.cli.main", "torch.load"]
)
def test_names_are_followed_to_where_they_lead(name):
    assert not is_ours(name)
    assert is_ours("carcinosis_loc.models.HRNet")
    assert is_ours("torch.optim.AdamW")
    assert not is_ours("carcinosis_loc./../x")


def test_a_recipe_with_a_detour_is_refused(content, tmp_path):
    content["carcloc"]["recipe"]["model"]["scheduler"] = "carcinosis_loc.files.os.abort"
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"names carcinosis_loc\.files\.os\.abort, which a checkpoint may not"):
        read_recipe(tmp_path / "x.ckpt")


@pytest.mark.parametrize("sureness", [[0.1, 0.2], [0.1, 0.2, 3.0], [0.1, float("nan"), 1.0], "sure"])
def test_a_sureness_that_is_none_is_refused(sureness, content, tmp_path):
    threshold = {"threshold": 0.3, "rule": "valley", "n_images": 5, "n_points": 9, "scale": [1.0, 0.0]}
    content["carcloc"]["calibration"] = threshold | {"sureness": [0.1, 0.4, 0.5]}
    torch.save(content, tmp_path / "x.ckpt")
    assert read_recipe(tmp_path / "x.ckpt").calibration.sureness.low == 0.1
    content["carcloc"]["calibration"] = threshold | {"sureness": sureness}
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"x\.ckpt: (its calibration is none|what is said of how sure)"):
        read_recipe(tmp_path / "x.ckpt")


@pytest.mark.parametrize("views", ["8", 8.0, True, 5, 0, None, torch.tensor(8), torch.tensor([1, 2])])
def test_a_number_of_views_that_is_none_is_refused(views, content, tmp_path):
    sound = Calibration(0.5, "labels", 3, 30, ScoreScale(1.0, 0.0), look=Look(8)).plain()
    for number in (8, views):
        content["carcloc"]["calibration"] = sound | {"views": number}
        torch.save(content, tmp_path / "x.ckpt")
        if number is views:
            with pytest.raises(InputError, match=r"x\.ckpt: "):
                read_recipe(tmp_path / "x.ckpt")
        else:
            assert read_recipe(tmp_path / "x.ckpt").calibration.look == Look(8)


@pytest.mark.parametrize(
    "scales", ["1", 1.5, [], [True], ["2"], [0.0], [5.0], [float("nan")], [1.0] * 9, [None], [10**400]]
)
def test_scales_that_are_none_are_refused(scales, content, tmp_path):
    sound = Calibration(0.5, "labels", 3, 30, ScoreScale(1.0, 0.0), look=Look(1, (1.0, 1.5))).plain()
    for factors in ([1.0, 1.5], scales):
        content["carcloc"]["calibration"] = sound | {"scales": factors}
        torch.save(content, tmp_path / "x.ckpt")
        if factors is scales:
            with pytest.raises(InputError, match=r"x\.ckpt: its calibration is none"):
                read_recipe(tmp_path / "x.ckpt")
        else:
            assert read_recipe(tmp_path / "x.ckpt").calibration.look == Look(1, (1.0, 1.5))


@pytest.mark.parametrize("place", ["recipe", "calibration"])
@pytest.mark.parametrize("kind", ["doubled", "looped", "deep"])
def test_what_unfolds_without_end_is_refused(place, kind, content, tmp_path):
    value = ["x"]
    for _ in range(60):
        value = [value] if kind == "deep" else [value, value]
    if kind == "looped":
        value.append(value)
    content["carcloc"][place] = value
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"x\.ckpt: its recipe cannot be used: it (is nested|refers)"):
        read_recipe(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    ("command", "key", "value"),
    [
        *((command, "pytorch-lightning_version", [[]]) for command in ("test", "predict", "fit")),
        ("fit", "loops", {"fit_loop": 1}),
        ("fit", "optimizer_states", [{"state": 1}]),
    ],
)
def test_a_state_that_nothing_can_take_up_is_refused(command, key, value, content, spots, tiny, tmp_path, capsys):
    """Lightning comes upon it in whatever way."""
    content[key] = value
    path = tmp_path / "run" / "checkpoints" / "x.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    more = ["--data.num_workers", "0", "--trainer.accelerator", "cpu", "--wandb", "off"]
    words = [*words_with(command, path, spots, tiny, tmp_path), *more]
    assert f"{path}: cannot be taken up" in refused(words, capsys)


@pytest.mark.parametrize("size", [[10**9, 10**9], [0, 5], [5], "ab", {"a": 1}, [5.5, 5], [True, 5], 7])
def test_an_image_size_that_is_none_is_refused(size, content, tmp_path):
    content["carcloc"]["recipe"]["data"]["image_size"] = size
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(InputError, match=r"x\.ckpt: its (image_size|recipe)"):
        read_recipe(tmp_path / "x.ckpt")


def test_a_zip_bomb_is_not_unpacked(fitted, tmp_path):
    with zipfile.ZipFile(fitted) as old, zipfile.ZipFile(tmp_path / "x.ckpt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, b"\0" * 10**7 if name.endswith("data/0") else old.read(name))
    with pytest.raises(InputError, match=r"x\.ckpt: refused: its parts are compressed"):
        read_checkpoint(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    "sizes",
    [{"width": 1024}, {"width": 1000, "modules": [30, 30, 30]}, {"modules": [1024, 1024, 1024], "blocks": 1024}],
)
def test_a_network_larger_than_its_weights_is_not_built(sizes, content, tmp_path, spots, tiny, capsys):
    content["carcloc"]["recipe"]["model"]["net"]["init_args"]["backbone"]["init_args"] |= sizes
    path = tmp_path / "run" / "checkpoints" / "x.ckpt"
    path.parent.mkdir(parents=True)
    torch.save(content, path)
    with pytest.raises(InputError, match=r"x\.ckpt: .*(do not fit the network|blocks)"):
        carcinosis_loc.load(path)
    assert "x.ckpt: " in refused(words_with("predict", path, spots, tiny, tmp_path), capsys)


def test_a_size_that_no_machine_has_is_refused(tmp_path):
    """torch lets a pickle make a bytearray of any length."""
    with zipfile.ZipFile(tmp_path / "x.ckpt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02c__builtin__\nbytearray\n\x8a\x08\0\0\0\0\0\0\0\x10\x85R.")
        archive.writestr("archive/version", b"3\n")
    with pytest.raises(InputError, match=r"x\.ckpt: refused: it asks for more memory than there is"):
        read_checkpoint(tmp_path / "x.ckpt")
