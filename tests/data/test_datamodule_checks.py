"""What ``PointDataModule`` checks and says before anything runs."""

import logging
from pathlib import Path

import pytest
from data_modules import SIZES, edit, module

from carcinosis_loc.data.datamodule import PointDataModule
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.errors import InputError


@pytest.mark.parametrize(
    ("subcommand", "arguments", "name"),
    [
        ("fit", {}, "train_json"),
        ("fit", {"train_json": "x.json"}, "image_dir"),
        ("validate", {"train_json": "x.json"}, "val_json"),
        ("test", {}, "test_json"),
        ("test", {"test_json": "x.json"}, "image_dir"),
        ("predict", {}, "predict_source"),
    ],
)
def test_paths_that_are_missing_are_named(subcommand, arguments, name):
    with pytest.raises(InputError, match=f"^--data.{name} is not given"):
        PointDataModule(**arguments).check(subcommand)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"num_workers": -1}, "num_workers"),
        ({"cache_mb": -1}, "cache_mb"),
        ({"samples_per_epoch": 0}, "samples_per_epoch"),
        ({"asked_per_frame": 0}, "asked_per_frame"),
        ({"whole_share": -0.1}, "whole_share"),
        ({"whole_share": 1.0}, "whole_share"),
        ({"whole_share": float("nan")}, "whole_share"),
        ({"image_size": (0, 5)}, "image_size"),
        ({"exhaustive_splits": ("tset",)}, "exhaustive_splits"),
    ],
)
def test_numbers_out_of_range_are_named(arguments, name):
    with pytest.raises(InputError, match=f"^--data.{name} m"):
        PointDataModule(**arguments).check("fit")


def test_test_needs_test_json_alone(make_split, image_dir):
    data = module(image_dir, test_json=make_split("test", SIZES))
    data.check("test")
    assert list(data.frames) == ["test"]


def test_an_empty_training_set(make_split, image_dir):
    with pytest.raises(InputError, match="the train set is empty"):
        module(image_dir, train_json=make_split("none", [])).check("fit")
    with pytest.raises(InputError, match="none of its images has a labelled point"):
        module(image_dir, train_json=make_split("bare", SIZES, points_each=0)).check("fit")
    module(image_dir, val_json=make_split("bare", SIZES, points_each=0)).check("validate")


def test_bad_files_are_found_before_training(make_split, image_dir):
    data = module(image_dir, train_json=make_split("train", SIZES), val_json=make_split("val", SIZES))
    (Path(image_dir) / "val_3.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"val\.json: image id 3: .*val_3\.png"):
        data.check("fit")


def test_whose_word_counts_for_exhaustive(make_split, image_dir):
    def flags(split, **arguments):
        path = make_split(split, SIZES[:2])
        edit(path, lambda document: document["images"][0].update(exhaustive=split != "test"))
        data = module(image_dir, **{f"{split}_json": path}, **arguments)
        data.check({"train": "fit", "val": "validate", "test": "test"}[split])
        return [frame.exhaustive for frame in data.frames[split]]

    assert flags("train") == flags("val") == [True, False]
    assert flags("test") == [False, True]
    assert flags("test", exhaustive_splits=()) == [False, False]
    assert flags("val", exhaustive_splits=["val"]) == [True, True]


def test_a_frame_with_fewer_labels_than_were_asked_for_is_whole(make_split, image_dir, caplog):
    train, val = make_split("train", SIZES[:3], points_each=4), make_split("val", SIZES[:2], points_each=2)
    edit(train, lambda document: document["annotations"].pop())
    data = module(image_dir, train_json=train, val_json=val, asked_per_frame=4)
    data.check("fit")
    assert [frame.exhaustive for frame in data.frames["train"]] == [False, False, True]
    assert [frame.exhaustive for frame in data.frames["val"]] == [False, False]  # few objects would lead a threshold
    assert "changes nothing" not in caplog.text


def test_what_a_frame_says_itself_wins_over_how_many_labels_it_has(make_split, image_dir, caplog):
    data = module(image_dir, train_json=make_split("train", SIZES[:2], exhaustive=False), asked_per_frame=4)
    data.check("fit")
    assert not any(frame.exhaustive for frame in data.frames["train"])
    assert (
        'data.asked_per_frame changes nothing: the label file says "exhaustive": false of all 2 images' in caplog.text
    )


def test_more_than_anybody_marked_is_suspected(make_split, image_dir, caplog):
    module(image_dir, train_json=make_split("train", SIZES[:2], points_each=4), asked_per_frame=50).check("fit")
    assert "no image has 50 points" in caplog.text
    caplog.clear()
    whole = make_split("whole", SIZES[:2], points_each=4, exhaustive=True)
    module(image_dir, train_json=whole, asked_per_frame=50).check("fit")
    assert "no image has" not in caplog.text


def test_whole_frames_are_drawn_as_often_as_is_wanted(make_split, image_dir):
    train = make_split("train", SIZES[:1] * 5, points_each=4, exhaustive=False)
    with pytest.raises(InputError, match=r"--data.whole_share 0.5 asks for training frames that are marked in full"):
        module(image_dir, train_json=train, whole_share=0.5).check("fit")
    edit(train, lambda document: document["images"][3].update(exhaustive=True))
    with pytest.raises(
        InputError, match="1 of 5 training frames are marked in full, which is as large a share already"
    ):
        module(image_dir, train_json=train, whole_share=0.2).check("fit")
    with pytest.raises(InputError, match="as many as were asked for"):  # marked in full are those that took more
        module(image_dir, train_json=train, whole_share=0.5, asked_per_frame=5).check("fit")

    def share(whole_share):
        data = module(image_dir, train_json=train, samples_per_epoch=200, whole_share=whole_share)
        data.check("fit")
        drawn = [index for index, _ in data.train_dataloader().sampler]
        return drawn.count(3) / len(drawn)

    assert share(None) == share(0.0) == 0.2
    assert 0.4 < share(0.5) < 0.6


def test_each_split_is_summed_up_in_one_line(make_split, image_dir, caplog):
    caplog.set_level(logging.INFO, logger="carcinosis_loc")
    module(image_dir, train_json=make_split("train", SIZES), val_json=make_split("val", SIZES[:2])).check("fit")
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("train: 5 images, 10 points (2.0 a frame); 0 frames count as exhaustively labelled")
    assert lines[1].startswith("val: 2 images, 4 points (2.0 a frame); 0 frames")
    assert len(lines) == 2


def test_capped_labels_of_a_test_set_are_suspected(make_split, image_dir, caplog):
    def warned(**how):
        caplog.clear()
        module(image_dir, test_json=make_split("test", SIZES[:2], **how)).check("test")
        return any("capped" in r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)

    assert warned(points_each=5)
    assert not warned(points_each=40)
    assert not warned(points_each=5, exhaustive=True)


@pytest.mark.parametrize("other", ["val", "test"])
def test_groups_on_both_sides_are_named(other, make_split, image_dir, caplog):
    paths = {"train_json": make_split("train", SIZES[:2], group="patient 7")}
    paths[f"{other}_json"] = make_split(other, SIZES[:2], group="patient 8")
    module(image_dir, **paths).check("fit")
    assert not [r for r in caplog.records if r.levelno == logging.WARNING]
    edit(paths[f"{other}_json"], lambda document: document["images"][1].update(group="patient 7"))
    module(image_dir, **paths).check("fit")
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert record.getMessage().startswith(f"train and {other} share 1 groups: patient 7;")


def test_a_test_file_that_training_does_not_need_may_be_broken(make_split, image_dir, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    for test_json in (tmp_path / "broken.json", tmp_path / "missing.json"):
        path = make_split("train", SIZES, group="a")
        module(image_dir, train_json=path, test_json=str(test_json)).check("fit")


def test_native_frames_of_several_sizes_need_a_crop_or_a_size(make_split, image_dir):
    path = make_split("train", SIZES)
    whole = TrainTransform(crop_size_px=None)
    with pytest.raises(InputError, match=r"train\.json: images differ in size \(50 x 40 to 44 x 60\)"):
        module(image_dir, train_json=path, train_transform=whole).check("fit")
    data = module(image_dir, train_json=path, train_transform=whole, image_size=(32, 64))
    data.check("fit")
    assert {batch.image.shape for batch in data.train_dataloader()} == {(2, 3, 32, 64)}
