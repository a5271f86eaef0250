"""How far objects stand out, measured in the images."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thin_labels import labels, points

from carcinosis_loc.annotations.contrast import contrast
from carcinosis_loc.annotations.thinning import thin
from carcinosis_loc.annotations.thinning_of_files import thin_file
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError

SPOTS = [(15, 15), (40, 15), (65, 15), (90, 15)]
GREYS = [130, 160, 60, 110]  # on 100


@pytest.fixture
def dense(tmp_path):
    image = np.full((40, 110, 3), 100, np.uint8)
    for (x, y), grey in zip(SPOTS, GREYS, strict=True):
        cv2.circle(image, (x, y), 4, (grey,) * 3, -1)
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "1.png"), image)
    path = tmp_path / "dense.json"
    path.write_text(json.dumps(labels(SPOTS, size=(40, 110), area=64)))
    return path


def test_the_most_conspicuous_differ_most_from_what_is_around(dense, tmp_path):
    images, kept = tmp_path / "images", []
    for n in (1, 2, 3, 4):
        sparse = thin_file(dense, tmp_path / f"{n}.json", per_frame=n, conspicuous_first=True, image_dir=images)
        kept.append(set(points(sparse)))
    by_contrast = [SPOTS[1], SPOTS[2], SPOTS[0], SPOTS[3]]
    assert kept == [set(by_contrast[:n]) for n in (1, 2, 3, 4)]
    told = {annotation["id"]: annotation["conspicuity"] for annotation in sparse["annotations"]}
    assert told[2] == pytest.approx(23.0, abs=1.0)  # CIELAB lightness 65.9 of grey 160, 42.4 of grey 100
    assert "conspicuity" not in dense.read_text()


@given(st.floats(0, 39), st.floats(0, 29), st.floats(1, 10))
def test_it_is_finite_everywhere_and_nothing_on_a_plain_image(x, y, radius_px):
    assert contrast(np.full((30, 40, 3), 77, np.uint8), x, y, radius_px) < 1e-3
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert 0 <= contrast(noise, x, y, radius_px) < 200


def test_where_nothing_is_around_nothing_is_measured():
    assert contrast(np.zeros((30, 40, 3), np.uint8), 5, 5, 100) is None
    assert contrast(np.zeros((1, 1, 3), np.uint8), 0, 0, 1) is None


def test_ignore_regions_are_not_measured(dense, tmp_path):
    coco = json.loads(dense.read_text())
    coco["annotations"].append(
        {"id": 9, "image_id": 1, "category_id": 1, "iscrowd": 1, "keypoints": None, "bbox": [0, 0, 9, 9]}
    )
    dense.write_text(json.dumps(coco))
    sparse = thin_file(dense, tmp_path / "out.json", per_frame=1, conspicuous_first=True, image_dir=tmp_path / "images")
    assert coco["annotations"][-1] in sparse["annotations"]


def by(area_of):
    coco = labels(SPOTS, SPOTS)
    for annotation in coco["annotations"]:
        annotation["area"] = area_of(annotation)
    return coco


def test_values_that_rank_no_image_tell_nothing():
    """Equal ones, and such that differ between images alone."""
    for area_of in (lambda one: 64, lambda one: 64 + one["image_id"]):
        with pytest.raises(InputError, match=r"conspicuous_first has nothing to go by: 'area' is 6\d\.0 on all points"):
            thin(by(area_of), per_frame=1, conspicuous_first=True)
    thin(by(lambda one: one["id"]), per_frame=1, conspicuous_first=True)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--conspicuous-first"], "seed.json: --conspicuous-first has nothing to go by: 'area' is 64.0 on all points"),
        (["--conspicuous-first", "--object-radius-px", "3"], "--object-radius-px is looked at in images; give --ima"),
        (["--conspicuous-first", "--image-dir", "images", "--object-radius-px", "0.2"], "--object-radius-px is 0.2"),
        (["--conspicuous-first", "--image-dir", "images", "--object-radius-px", "99"], "seed.json: annotation 1: not"),
        (["--image-dir", "images"], "--image-dir tells what is conspicuous; give --conspicuous-first too"),
        (["--conspicuous-first", "--image-dir", "nowhere"], "nowhere: there is no such image folder; set --image-dir"),
        (["--conspicuous-first", "--image-dir", "images", "--object-radius-px", "nan"], "--object-radius-px is nan"),
        (["--some-whole", "2"], "seed.json: --some-whole is 2; points are left out on 1 of the images alone"),
        (["--some-whole", "1" + 400 * "0"], "seed.json: --some-whole is 1000"),
        (["--some-whole", "-" + 400 * "9"], "--some-whole is -999"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(flags, line, dense, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    dense.rename("seed.json")  # what messages call arguments is no reason to call files otherwise
    assert main(["thin", "seed.json", "out.json", "--per-frame", "1", *flags]) == 2
    assert capsys.readouterr().err.startswith(f"carcloc: {line}")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("x", [-20, 200, 5000, 1e300])
def test_a_point_outside_of_its_image_is_named(x, dense, tmp_path):
    coco = json.loads(dense.read_text())
    coco["annotations"][1]["keypoints"][0] = x
    dense.write_text(json.dumps(coco))
    with pytest.raises(
        InputError, match=r"dense\.json: annotation 2: its point .* lies outside of the image of 110 x 40"
    ):
        thin_file(dense, tmp_path / "o.json", per_frame=1, conspicuous_first=True, image_dir=tmp_path / "images")


def test_what_is_marked_in_full_must_be_said_plainly(dense):
    coco = json.loads(dense.read_text())
    coco["images"][0]["exhaustive"] = "no"
    with pytest.raises(InputError, match="image id 1: 'exhaustive' is 'no', not true or false"):
        thin(coco, per_frame=1, some_whole=1)
    with pytest.raises(InputError, match="some_whole needs keep_share, per_frame or one_per_cluster_px"):
        thin(coco, some_whole=1)
