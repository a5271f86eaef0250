"""As many clicks on fewer frames: ``carcloc thin --whole-frames``."""

import json

import pytest

from carcinosis_loc.annotations.whole_frames import whole_frames
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError


@pytest.fixture
def dense(spots):
    return json.loads((spots / "test.json").read_text())


def ids(coco):
    return [image["id"] for image in coco["images"]]


def test_what_is_kept_is_kept_whole(dense):
    kept = whole_frames(dense, 3)
    assert len(kept["images"]) == 3
    assert all(image["exhaustive"] for image in kept["images"])
    assert kept["annotations"] == [one for one in dense["annotations"] if one["image_id"] in ids(kept)]
    assert kept["categories"] == dense["categories"]


def test_fewer_frames_are_a_subset_and_a_seed_is_a_draw(dense):
    for n in range(1, len(dense["images"])):
        assert set(ids(whole_frames(dense, n))) < set(ids(whole_frames(dense, n + 1)))
    assert len({tuple(ids(whole_frames(dense, 3, seed))) for seed in range(8)}) > 1
    assert ids(whole_frames(dense, len(dense["images"]))) == ids(dense)


@pytest.mark.parametrize(
    ("n", "seed", "said"),
    [*((n, 0, "labels: has 6 images") for n in (0, -1, 99)), (2, -1, "seed is -1")],
)
def test_impossible_numbers_are_refused(dense, n, seed, said):
    with pytest.raises(InputError, match=said):
        whole_frames(dense, n, seed)


def test_the_command(spots, tmp_path, capsys):
    out = tmp_path / "whole.json"
    assert main(["thin", str(spots / "test.json"), str(out), "--whole-frames", "2"]) == 0
    n_points = len(json.loads(out.read_text())["annotations"])
    assert f"{n_points} points, all of 2 images" in capsys.readouterr().out
    assert main(["thin", str(spots / "test.json"), str(out), "--whole-frames", "2"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    words = ["thin", str(spots / "test.json"), str(out), "--overwrite", "--whole-frames", "2", "--jitter-px", "1"]
    assert main(words) == 2
    assert "as they are" in capsys.readouterr().err
