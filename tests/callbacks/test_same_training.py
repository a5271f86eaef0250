"""A training that is resumed with other data or settings says so."""

import copy
import shutil
from types import SimpleNamespace

import pytest

from carcinosis_loc.callbacks import SameTraining
from carcinosis_loc.errors import InputError


def config(spots):
    return {
        "seed_everything": 0,
        "data": {"train_json": str(spots / "train.json"), "val_json": None, "batch_size": 4},
        "trainer": {"precision": None},
        "model": {"optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 0.1}}},
    }


def callback(config, spots, world_size=1):
    frames = [SimpleNamespace(path=path) for path in sorted((spots / "images").glob("train*"))]
    trainer = SimpleNamespace(world_size=world_size, datamodule=SimpleNamespace(frames={"train": frames}))
    one = SameTraining(config)
    one.setup(trainer, None, "fit")
    return one


@pytest.fixture
def checkpoint(spots):
    content = {}
    callback(config(spots), spots).on_save_checkpoint(None, None, content)
    return content


def test_the_same_again_says_nothing(spots, checkpoint, caplog):
    callback(config(spots), spots).on_load_checkpoint(None, None, checkpoint)
    callback(config(spots), spots).on_load_checkpoint(None, None, {})  # of an earlier version
    assert caplog.text == ""


def test_an_argument_that_an_earlier_version_did_not_have_and_that_is_null_is_no_change(spots, checkpoint, caplog):
    newer = config(spots)
    newer["model"]["labels_at_random"] = None
    callback(newer, spots).on_load_checkpoint(None, None, checkpoint)
    assert caplog.text == ""
    newer["model"]["labels_at_random"] = True
    callback(newer, spots).on_load_checkpoint(None, None, checkpoint)
    assert "resumed with another model.labels_at_random;" in caplog.text


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda c: c.update(seed_everything=7), "seed_everything"),
        (lambda c: c["data"].update(batch_size=2), "data.batch_size"),
        (lambda c: c["model"]["optimizer"]["init_args"].update(lr=0.5), "model.optimizer.init_args.lr"),
        (lambda c: c["data"].update(train_json=__file__), "data.train_json (its content)"),
        (lambda c: c["trainer"].update(precision="bf16-mixed"), "trainer.precision"),
    ],
)
def test_what_differs_is_named(spots, checkpoint, caplog, change, name):
    other = copy.deepcopy(config(spots))
    change(other)
    callback(other, spots).on_load_checkpoint(None, None, checkpoint)
    assert f"resumed with another {name}; this is another training" in caplog.text


def test_other_images_and_devices_are_named_and_no_path(spots, checkpoint, caplog, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "train_0.png").write_bytes(b"x")
    callback(config(spots), tmp_path, world_size=2).on_load_checkpoint(None, None, checkpoint)
    assert "another number of processes, training images (their files);" in caplog.text
    assert str(spots) not in str(checkpoint)


@pytest.mark.parametrize("gone", ["train.json", "images"])
def test_a_file_that_has_gone_since_the_checks_is_named(gone, spots, tmp_path):
    shutil.copytree(spots, tmp_path, dirs_exist_ok=True)
    told, frames = config(tmp_path), [SimpleNamespace(path=tmp_path / "images" / "a.png")]
    (tmp_path / gone).rename(tmp_path / "away")
    trainer = SimpleNamespace(world_size=1, datamodule=SimpleNamespace(frames={"train": frames}))
    with pytest.raises(InputError, match=rf"{gone}.*could be read a moment ago"):
        SameTraining(told).setup(trainer, None, "fit")
