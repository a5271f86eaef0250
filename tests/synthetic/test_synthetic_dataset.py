import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from carcinosis_loc.errors import InputError
from carcinosis_loc.synthetic import dataset, workers
from carcinosis_loc.synthetic.dataset import write_dataset

SMALL = {"n_train": 9, "n_val": 3, "n_test": 2, "height": 64, "width": 80, "frames_per_patient": 4}

HOLD = (
    "import pathlib, sys; from carcinosis_loc.run_folder import lock_folder; "
    "lock = lock_folder(pathlib.Path(sys.argv[1])); print(flush=True); input()"
)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def labels(folder, name):
    return json.loads((folder / "annotations" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth") / "data"
    summary = write_dataset(folder, workers=1, **SMALL)
    return folder, summary


def test_the_layout(made):
    folder, summary = made
    files = contents(folder)
    assert sorted(name for name in files if name.startswith("annotations")) == [
        "annotations/test_dense.json",
        "annotations/train_dense.json",
        "annotations/train_sparse.json",
        "annotations/val_dense.json",
        "annotations/val_sparse.json",
    ]
    assert sum(name.startswith("images/") and name.endswith(".png") for name in files) == 14
    assert len(files) == 19
    assert [summary[split]["frames"] for split in ("train", "val", "test")] == [9, 3, 2]


def test_the_entries(made):
    folder, _ = made
    ids = []
    for split in ("train", "val", "test"):
        dense = labels(folder, f"{split}_dense")
        assert dense["categories"] == [{"id": 1, "name": "nodule", "keypoints": ["center"], "skeleton": []}]
        for image in dense["images"]:
            assert image.keys() == {"id", "file_name", "width", "height", "group", "exhaustive"}
            assert image["exhaustive"] is True
            assert (image["height"], image["width"]) == (64, 80)
            assert cv2.imread(str(folder / "images" / image["file_name"])).shape == (64, 80, 3)
        ids += [image["id"] for image in dense["images"]]
        for annotation in dense["annotations"]:
            x, y, v = annotation["keypoints"]
            left, top, width, height = annotation["bbox"]
            assert v == 2
            assert 0 <= x <= 79
            assert 0 <= y <= 63
            assert left <= x <= left + width + 0.02
            assert top <= y <= top + height + 0.02
            assert (annotation["category_id"], annotation["num_keypoints"], annotation["iscrowd"]) == (1, 1, 0)
            assert 0 < annotation["conspicuity"] <= 1
    assert len(set(ids)) == 14


def test_the_sparse_files_hold_some_of_the_dense_points(made):
    folder, summary = made
    for split in ("train", "val"):
        dense, sparse = labels(folder, f"{split}_dense"), labels(folder, f"{split}_sparse")
        assert [image["id"] for image in sparse["images"]] == [image["id"] for image in dense["images"]]
        assert all(image["exhaustive"] is False for image in sparse["images"])
        known = {annotation["id"]: annotation for annotation in dense["annotations"]}
        assert all(known[annotation["id"]] == annotation for annotation in sparse["annotations"])
        for image in dense["images"]:
            there, kept = (
                sum(annotation["image_id"] == image["id"] for annotation in file["annotations"])
                for file in (dense, sparse)
            )
            assert kept == min(5, there)
        assert summary[split]["sparse_points"] == len(sparse["annotations"])


def test_patients_are_in_one_split_each_and_of_even_size(made):
    folder, _ = made
    groups = {
        split: [i["group"] for i in labels(folder, f"{split}_dense")["images"]] for split in ("train", "val", "test")
    }
    assert not set(groups["train"]) & set(groups["val"])
    assert not set(groups["train"] + groups["val"]) & set(groups["test"])
    assert sorted(groups["train"].count(group) for group in set(groups["train"])) == [4, 5]


def test_two_processes_write_the_same_bytes_as_one(made, tmp_path):
    write_dataset(tmp_path / "two", workers=2, **SMALL)
    assert contents(tmp_path / "two") == contents(made[0])


def test_a_frame_does_not_depend_on_the_other_splits(made, tmp_path):
    write_dataset(tmp_path / "fewer", workers=1, **(SMALL | {"n_val": 0, "n_test": 0}))
    fewer, all_files = contents(tmp_path / "fewer"), contents(made[0])
    for name in [name for name in fewer if name.startswith("images/train")]:
        assert fewer[name] == all_files[name]


def test_another_seed_gives_other_frames(made, tmp_path):
    write_dataset(tmp_path / "other", workers=1, seed=1, **(SMALL | {"n_train": 1, "n_val": 0, "n_test": 0}))
    name = "images/train_00000.png"
    assert contents(tmp_path / "other")[name] != contents(made[0])[name]


def test_an_earlier_data_set_is_refused_or_replaced(tmp_path):
    few = {"n_val": 0, "n_test": 0, "height": 64, "width": 64, "workers": 1}
    write_dataset(tmp_path / "d", n_train=3, **few)
    before = contents(tmp_path / "d")
    with pytest.raises(InputError, match=r"annotations: exists already.*--overwrite"):
        write_dataset(tmp_path / "d", n_train=1, **few)
    assert contents(tmp_path / "d") == before
    (tmp_path / "d" / "images" / "mine.png").write_bytes(b"x")
    write_dataset(tmp_path / "d", n_train=1, overwrite=True, **few)
    assert sorted(path.name for path in (tmp_path / "d" / "images").iterdir()) == ["mine.png", "train_00000.png"]


def test_an_interrupted_overwrite_leaves_the_earlier_data_set_whole(tmp_path, monkeypatch):
    few = {"n_train": 2, "n_val": 0, "n_test": 0, "height": 64, "width": 64, "workers": 1}
    write_dataset(tmp_path / "d", **few)
    before = contents(tmp_path / "d")
    monkeypatch.setattr(dataset, "thin", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))  # all but the end
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "d", overwrite=True, seed=5, **few)
    assert contents(tmp_path / "d") == before


def test_what_a_kill_left_is_cleared_and_a_second_run_is_kept_out(tmp_path):
    few = {"n_train": 1, "n_val": 0, "n_test": 0, "height": 64, "width": 64, "workers": 1}
    (tmp_path / ".synth.part" / "images").mkdir(parents=True)
    (tmp_path / ".synth.part" / "images" / "train_00009.png").write_bytes(b"half")
    held = [sys.executable, "-c", HOLD, str(tmp_path / ".synth.part")]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        holder.stdout.readline()
        with pytest.raises(InputError, match="another run is writing there"):
            write_dataset(tmp_path, **few)
        holder.communicate("\n")
    write_dataset(tmp_path, **few)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["train_00000.png"]
    assert not (tmp_path / ".synth.part").exists()


def test_no_label_file_is_left_when_a_frame_cannot_be_written(tmp_path, monkeypatch):
    def fail(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workers, "write_bytes", fail)
    with pytest.raises(InputError, match=r"train_00000.png: cannot be written \(No space left on device\)"):
        write_dataset(tmp_path / "d", workers=1, **SMALL)
    assert not (tmp_path / "d" / "annotations").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_train": -1}, "n_train is -1"),
        ({"n_train": 0, "n_val": 0, "n_test": 0}, "all 0"),
        ({"height": 10}, "height is 10 pixels"),
        ({"width": 100000}, "width is 100000 pixels"),
        ({"labels_per_frame": 0}, "labels_per_frame is 0"),
        ({"seed": -3}, "seed is -3"),
        ({"workers": -1}, "workers is -1"),
        ({"frames_per_patient": 0}, "frames_per_patient is 0"),
    ],
)
def test_impossible_arguments_are_refused_before_anything_is_written(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        write_dataset(tmp_path / "d", **(SMALL | wrong))
    assert not (tmp_path / "d").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "d").write_text("x")
    with pytest.raises(InputError, match="this folder cannot be made"):
        write_dataset(tmp_path / "d", **SMALL)


def backgrounds(folder, count):
    folder.mkdir()
    for i in range(count):
        y, x = np.mgrid[:90, :120]
        image = np.stack([70 + 0 * x, 90 + 20 * np.sin(x / 9), 150 + 12 * i + 20 * np.cos(y / 7)], -1)
        cv2.imwrite(str(folder / f"{i}.png"), image.astype(np.uint8))
    return folder


def test_backgrounds_are_dealt_out_to_the_splits(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(7)]
    shares = dataset._share_out(paths, {"train": 40, "val": 6, "test": 6}, seed=0)
    assert sorted(path for share in shares.values() for path in share) == paths
    assert min(map(len, shares.values())) >= 1
    assert len(shares["train"]) >= 3
    too_few = dataset._share_out(paths[:2], {"train": 40, "val": 6, "test": 0}, seed=0)
    assert too_few == {"train": tuple(paths[:2]), "val": tuple(paths[:2])}


def test_a_data_set_on_backgrounds(tmp_path):
    folder = backgrounds(tmp_path / "clean", 4)
    (folder / "notes.txt").write_text("not an image, not in the way")
    summary = write_dataset(tmp_path / "d", workers=1, backgrounds=folder, **SMALL)
    assert summary["train"]["points"] > 30
    image = cv2.imread(str(tmp_path / "d" / "images" / "train_00000.png"))
    assert abs(int(np.median(image[..., 0])) - 70) < 25


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (None, b"", "holds no image"),
        ("broken.png", b"not a picture", "broken.png: is no readable image"),
        ("cut.png", "cut", "cut.png: this image cannot be decoded"),
    ],
)
def test_bad_backgrounds_are_named(tmp_path, name, data, message):
    folder = tmp_path / "clean"
    folder.mkdir()
    if data == "cut":
        data = cv2.imencode(".png", np.full((50, 50, 3), 90, np.uint8))[1].tobytes()[:60]
    if name:
        (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        write_dataset(tmp_path / "d", workers=1, backgrounds=folder, **SMALL)
    assert not (tmp_path / "d" / "annotations").exists()


def test_a_missing_background_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: the folder of backgrounds cannot be read"):
        write_dataset(tmp_path / "d", backgrounds=tmp_path / "nowhere", **SMALL)
