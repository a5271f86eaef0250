"""The page about a test, made by ``carcloc test`` on drawn spots; what the test leaves for it."""

import csv
import json
import shutil

import pytest
from pages import Reader, page_of

from carcinosis_loc.cli import main


@pytest.fixture(scope="module")
def tested(run, spots, tmp_path_factory):
    """A run that was tested at a threshold that leaves mistakes of all kinds."""
    root = tmp_path_factory.mktemp("tested") / "run"
    shutil.copytree(run, root)
    words = ["test", "--ckpt_path", str(root / "checkpoints" / "best.ckpt"), "--wandb", "off"]
    words += ["--data.image_dir", str(spots / "images"), "--data.test_json", str(spots / "test.json")]
    words += ["--data.num_workers", "0", "--trainer.accelerator", "cpu", "--model.decoder.threshold", "0.045"]
    assert main(words) == 0
    return root


def read(path):
    return json.loads(path.read_text())


def test_the_curve_goes_through_the_figures_of_the_test(tested):
    curve, metrics = read(tested / "curve.json"), read(tested / "metrics.json")
    assert curve["threshold_rule"] == "given by hand"
    assert curve["thresholds"] == sorted(curve["thresholds"], reverse=True)
    assert curve["recall"] == sorted(curve["recall"])
    assert max(curve["f1"]) == pytest.approx(metrics["best_f1"], abs=1e-6)
    beside = sum(score >= metrics["threshold"] for score in curve["thresholds"])  # steps above the threshold in use
    assert curve["recall"][beside - 1] <= metrics["recall"] + 1e-6
    assert metrics["recall"] <= curve["recall"][min(beside, len(curve["recall"]) - 1)] + 1e-6


def test_errors_add_up_to_the_rows_of_the_frames(tested):
    errors = read(tested / "errors.json")
    with (tested / "per_image.csv").open() as file:
        rows = {int(row["image_id"]): row for row in csv.DictReader(file)}
    for kinds, column in (("found", "tp"), ("missed mislocated", "fn"), ("false mislocated", "fp")):
        total = sum(errors["totals"][kind] for kind in kinds.split())
        assert total == sum(int(row[column]) for row in rows.values()), column
    assert errors["frames"]
    for frame in errors["frames"]:
        row = rows[frame["image_id"]]
        assert len(frame["found"]) == int(row["tp"])
        assert len(frame["missed"]) + len(frame["mislocated"]) == int(row["fn"])
        assert len(frame["false"]) + len(frame["mislocated"]) == int(row["fp"])
        for x, y, _, true_x, true_y in frame["found"]:
            assert (x - true_x) ** 2 + (y - true_y) ** 2 <= (errors["match_radius_px"] + 0.02) ** 2
    assert sum(len(frame["false"]) + len(frame["missed"]) for frame in errors["frames"]) > 0


def test_pictures_are_those_that_are_named(tested):
    named = {frame["picture"] for frame in read(tested / "errors.json")["frames"]} - {None}
    assert named == {f"pictures/{path.name}" for path in tested.glob("pictures/error_*.jpg")} != set()


def test_the_page_of_the_test(tested):
    page, metrics = Reader(page_of(tested)), read(tested / "metrics.json")
    assert f"F1 over the threshold. Best F1 {metrics['best_f1']:.3f}" in page.words
    assert "Precision over recall. Average precision" in page.words
    assert "given by hand" in page.words
    assert "best.ckpt" in page.words
    assert len(page.all("image")) == len(list(tested.glob("pictures/error_*.jpg")))
    kinds = [one["value"] for one in page.all("input") if one.get("class") == "kind"]
    assert kinds == ["found", "missed", "false", "mislocated"]
    assert str(tested) not in (tested / "report.html").read_text()


def test_anonymized_it_names_no_frame_and_no_run(tested, tmp_path):
    root = tmp_path / "mueller"
    shutil.copytree(tested, root)
    text = page_of(root, "--anonymize")
    assert "test_0.png" not in text
    assert "mueller" not in text
    assert "image 1" in text


def test_a_run_of_an_earlier_version_has_a_page_that_says_what_is_missing(tested, tmp_path):
    for name in ("metrics.json", "per_image.csv"):
        shutil.copy(tested / name, tmp_path)
    words = Reader(page_of(tmp_path)).words
    assert "This test wrote no curve.json; run carcloc test again." in words
    assert "This test wrote no errors.json; run carcloc test again." in words


def test_sparse_frames_have_no_f1_and_no_gallery(tested, run, spots, tmp_path):
    words = ["test", "--ckpt_path", str(run / "checkpoints" / "best.ckpt"), "--wandb", "off"]
    words += ["--data.image_dir", str(spots / "images"), "--data.test_json", str(spots / "val.json")]
    words += ["--data.exhaustive_splits", "[]", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    shutil.copytree(tested / "pictures", tmp_path / "pictures")  # of an earlier test
    assert main([*words, "--trainer.default_root_dir", str(tmp_path)]) == 0
    assert read(tmp_path / "curve.json")["thresholds"] == []
    assert read(tmp_path / "errors.json")["frames"] == []
    assert not list(tmp_path.glob("pictures/error_*"))
    said = Reader(page_of(tmp_path)).words
    assert "precision and F1 cannot be told from sparse labels" in said
    assert "The curve needs frames that are marked in full." in said


TOTALS = '{"totals": {"found": 1, "mislocated": 0, "false": 0, "missed": 0}, "frames": '


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.json", "{}", 'the key "f1" is missing'),
        ("curve.json", '{"thresholds": [1], "precision": [], "recall": [], "f1": []}', "different lengths"),
        ("curve.json", "{}", '"thresholds" must be a list'),
        ("errors.json", '{"frames": []}', '"totals" must hold a number for each of found'),
        ("errors.json", TOTALS + '[{"image_id": 1}]}', 'the key "found" is missing'),
        ("errors.json", TOTALS + '[{"found": 3}]}', '"found" must be a list, not 3'),
        ("errors.json", TOTALS + '[{"found": [[1]]}]}', '"found" must hold 5 numbers a point'),
        ("per_image.csv", "a,b\n1,2\n", "cannot be read as carcloc test writes it"),
    ],
)
def test_damage_is_one_line(tested, tmp_path, capsys, name, text, message):
    shutil.copytree(tested, tmp_path, dirs_exist_ok=True)
    (tmp_path / "report.html").unlink(missing_ok=True)
    (tmp_path / name).write_text(text)
    assert main(["report", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / name) in error
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_stations_belong_to_predictions(tested, capsys):
    assert main(["report", str(tested), "--stations", "s.csv"]) == 2
    assert "give " in capsys.readouterr().err
