"""How far objects stand out, measured in the images."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thin_labels import labels, points

from carcinosis_loc.annotations.contrast import contrast
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


@given(st.integers(-3, 42), st.integers(-3, 32), st.floats(0.2, 30))
def test_it_is_finite_everywhere_and_nothing_on_a_plain_image(x, y, radius_px):
    x, y = min(max(x, 0), 39), min(max(y, 0), 29)
    assert contrast(np.full((30, 40, 3), 77, np.uint8), x, y, radius_px) < 1e-3
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert 0 <= contrast(noise, x, y, radius_px) < 200


def test_equal_areas_tell_nothing(dense, tmp_path):
    with pytest.raises(InputError, match=r"dense\.json: conspicuous_first has nothing to go by: 'area' is 64 on every"):
        thin_file(dense, tmp_path / "out.json", per_frame=1, conspicuous_first=True)
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--conspicuous-first"], "dense.json: --conspicuous-first has nothing to go by: 'area' is 64 on every anno"),
        (["--image-dir", "images"], "--image-dir tells what is conspicuous; give --conspicuous-first too"),
        (["--conspicuous-first", "--image-dir", "nowhere"], "nowhere: there is no such image folder; set --image-dir"),
        (["--conspicuous-first", "--image-dir", "images", "--object-radius-px", "nan"], "--object-radius-px is nan"),
        (["--some-whole", "2"], "dense.json: --some-whole is 2; there are 1 images with points that are left out"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(flags, line, dense, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["thin", "dense.json", "out.json", "--per-frame", "1", *flags]) == 2
    assert capsys.readouterr().err.startswith(f"carcloc: {line}")
    assert not (tmp_path / "out.json").exists()
