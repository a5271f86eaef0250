import contextlib
import csv
import io
import json
import logging
import shutil

import cv2
import numpy as np
import pytest
from bright import bright_module, quiet_trainer, spot_data
from pycocotools.coco import COCO
from scipy.special import expit, logit

from carcinosis_loc.callbacks import unfinished
from carcinosis_loc.callbacks.predictions import PredictionFiles
from carcinosis_loc.drawing import caption
from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.writers import CocoResults, OverlayPictures, PointTable


def predict(spots, root, module=None, callback=None, source=None, **options):
    data = spot_data(spots, predict_source=str(source or spots / "images"))
    trainer = quiet_trainer(root, callback or PredictionFiles(), **options)
    return trainer.predict(module or bright_module(threshold=0.3), data)


def results_of(root):
    return json.loads((root / "predictions" / "predictions.json").read_text())


def images_of(root):
    return json.loads((root / "predictions" / "images.json").read_text())["images"]


def rows_of(root):
    with (root / "predictions" / "points.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_pycocotools_reads_the_results(spots, tmp_path):
    predict(spots, tmp_path)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "predictions" / "images.json"))
        results = truth.loadRes(str(tmp_path / "predictions" / "predictions.json"))
    assert len(truth.getImgIds()) == 23
    assert len(results.anns) == len(results_of(tmp_path)) > 50
    assert {ann["category_id"] for ann in results.anns.values()} == set(truth.getCatIds())


def test_the_points_are_those_of_the_image(spots, tmp_path):
    """The drawn spots of an exhaustive frame are found where they were drawn."""
    predict(spots, tmp_path)
    labels = json.loads((spots / "test.json").read_text())
    name_of = {image["id"]: image["file_name"] for image in labels["images"]}
    for annotation in labels["annotations"]:
        x, y = annotation["keypoints"][:2]
        if 6 < x < 56 and 6 < y < 56:
            rows = [row for row in rows_of(tmp_path) if row["file_name"] == name_of[annotation["image_id"]]]
            assert min(np.hypot(float(row["x"]) - x, float(row["y"]) - y) for row in rows) < 3


def test_files_agree_and_keep_the_order_of_the_images(spots, tmp_path):
    """Frames of two sizes are batched apart, so they are not predicted in the order of their names."""
    seen = []

    class Watch(PredictionFiles):
        def on_predict_batch_end(self, trainer, pl_module, outputs, *more):
            seen.extend(frame.file_name for frame in outputs.frames)
            super().on_predict_batch_end(trainer, pl_module, outputs, *more)

    predict(spots, tmp_path, callback=Watch())
    images, results, rows = images_of(tmp_path), results_of(tmp_path), rows_of(tmp_path)
    assert [image["file_name"] for image in images] == sorted(seen) != seen
    for image in images:
        pixels = cv2.imread(str(spots / "images" / image["file_name"]))
        assert (image["height"], image["width"]) == pixels.shape[:2]
    name_of = {image["id"]: image["file_name"] for image in images}
    as_rows = [(name_of[one["image_id"]], *map(str, one["keypoints"][:2]), str(one["score"])) for one in results]
    assert as_rows == [(row["file_name"], row["x"], row["y"], row["score"]) for row in rows]
    assert {(row["frame"], row["time_s"], row["track_id"]) for row in rows} == {("", "", "")}
    assert [name for name, *_ in as_rows] == sorted(name for name, *_ in as_rows)
    assert all(one["category_id"] == 1 and one["keypoints"][2] == 2 for one in results)


def test_only_peaks_at_or_above_the_threshold_are_written(spots, tmp_path):
    for threshold in (0.01, 0.5):
        predict(spots, tmp_path / str(threshold), bright_module(threshold=threshold))
    low, high = (results_of(tmp_path / str(threshold)) for threshold in (0.01, 0.5))
    assert min(one["score"] for one in low) < 0.5
    assert high == [one for one in low if one["score"] >= 0.5] != []


def test_an_image_that_is_full_is_told_of_once(spots, tmp_path, caplog):
    predict(spots, tmp_path / "all")
    assert "top_k" not in caplog.text
    predict(spots, tmp_path / "few", bright_module(threshold=0.3, top_k=1))
    (said,) = [record.getMessage() for record in caplog.records if "top_k" in record.getMessage()]
    assert said.endswith("reaches model.decoder.top_k = 1: what lies beyond is lost. Raise it.")


def test_a_calibrated_model_tells_probabilities(spots, tmp_path):
    predict(spots, tmp_path / "plain")
    assert not any("probability" in one for one in results_of(tmp_path / "plain"))
    module = bright_module(threshold=0.3)
    module.calibration = Calibration(0.3, "labels", 3, 9, ScoreScale(2.0, 1.0))
    predict(spots, tmp_path, module)
    for one in results_of(tmp_path):
        assert one["probability"] == pytest.approx(expit(2 * logit(one["score"]) + 1), abs=1e-4)


def test_no_point_at_all_is_an_empty_result(spots, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        predict(spots, tmp_path, bright_module(threshold=1.0), PredictionFiles(overlays=False, key_frames=False))
    assert results_of(tmp_path) == []
    assert (tmp_path / "predictions" / "points.csv").read_text() == "file_name,frame,time_s,x,y,score,track_id\n"
    assert len(images_of(tmp_path)) == 23
    files = {"predictions.json", "images.json", "points.csv", "provenance.json"}
    assert {p.name for p in (tmp_path / "predictions").iterdir()} == files
    assert "0 points with a score of 1.000 or more in 23 images" in caplog.text


def test_overlays_of_images_with_the_same_name_do_not_collide(spots, tmp_path):
    source = tmp_path / "source"
    for name in ("a/x.png", "b/x.png", "x.png"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(spots / "images" / "test_0.png", source / name)
    shutil.copy(spots / "images" / "test_1.png", source / "a_x.png")
    predict(spots, tmp_path, source=source)
    names = {image["file_name"]: image["id"] for image in images_of(tmp_path)}
    overlays = {path.name for path in (tmp_path / "predictions" / "overlays").iterdir()}
    assert overlays == {f"a_x_{names['a/x.png']}.png", f"a_x_{names['a_x.png']}.png", "b_x.png", "x.png"}
    picture = cv2.imread(str(tmp_path / "predictions" / "overlays" / "x.png"))
    image = cv2.imread(str(source / "x.png"))
    assert picture.shape == (480 + 32, 480, 3)
    enlarged = cv2.resize(image, (480, 480), interpolation=cv2.INTER_CUBIC)
    assert 0.005 < (picture[:480] != enlarged).any(-1).mean() < 0.3
    count = sum(result["image_id"] == names["x.png"] for result in results_of(tmp_path))
    line = caption(f"points {count}   research use only", 480)
    assert (picture[480:, :, ::-1] == line).all()


def leave_an_earlier_run(root):
    (root / "predictions" / "overlays").mkdir(parents=True)
    (root / "predictions" / "overlays" / "stale.png").write_text("old")
    (root / "predictions" / "predictions.json").write_text("old")


def test_an_earlier_run_is_replaced_and_not_mixed(spots, tmp_path):
    leave_an_earlier_run(tmp_path)
    predict(spots, tmp_path)
    assert not (tmp_path / "predictions" / "overlays" / "stale.png").exists()
    assert len(results_of(tmp_path)) > 50
    assert [path.name for path in tmp_path.iterdir()] == ["predictions"]
    assert (tmp_path / "predictions").stat().st_mode & 0o777 == tmp_path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("owner", "where"),
    [(OverlayPictures, "frame"), (CocoResults, "frame"), (PointTable, "finish"), (unfinished, "replace_folder")],
)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_earlier_run_as_it_was(spots, tmp_path, monkeypatch, owner, where, error):
    leave_an_earlier_run(tmp_path)
    calls = []

    def fail(*given):
        calls.append(given)
        if len(calls) == (3 if where == "frame" else 1):
            raise error

    monkeypatch.setattr(owner, where, fail)
    with pytest.raises((OSError, KeyboardInterrupt, SystemExit)):
        predict(spots, tmp_path)
    assert calls
    assert (tmp_path / "predictions" / "predictions.json").read_text() == "old"
    assert (tmp_path / "predictions" / "overlays" / "stale.png").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["predictions"]


def test_if_the_new_folder_cannot_take_its_place_the_old_one_returns(tmp_path):
    leave_an_earlier_run(tmp_path)
    with pytest.raises(FileNotFoundError):
        unfinished.replace_folder(tmp_path / ".predictions.x.part", tmp_path / "predictions")
    assert (tmp_path / "predictions" / "predictions.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["predictions"]


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_not_replaced(spots, tmp_path, kind):
    if kind == "file":
        (tmp_path / "predictions").write_text("mine")
    else:
        (tmp_path / "predictions").symlink_to(spots)
    with pytest.raises(InputError, match="predictions: is no folder"):
        predict(spots, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["predictions"]


def test_nothing_but_points_is_kept(spots, tmp_path):
    """Lightning would keep the logits of the whole set."""
    assert predict(spots, tmp_path) is None


@pytest.mark.parametrize("images", [5, 1])
def test_two_processes_write_what_one_writes(spots, tmp_path, images):
    """With one image the second process has none."""
    source = tmp_path / "source"
    source.mkdir()
    for path in sorted((spots / "images").iterdir())[:images]:
        shutil.copy(path, source)
    predict(spots, tmp_path / "one", source=source)
    predict(spots, tmp_path / "two", source=source, devices=2, strategy="ddp_fork")
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["predictions"]
    (tmp_path / "one" / "predictions" / "provenance.json").unlink()  # it tells the time
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes(), path.name
