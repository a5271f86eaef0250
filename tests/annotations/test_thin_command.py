import argparse
import json

import pytest

from carcinosis_loc.annotations import thin_command
from carcinosis_loc.errors import InputError


def run(*words):
    parser = argparse.ArgumentParser()
    thin_command.add_arguments(parser)
    thin_command.run(parser.parse_args(list(map(str, words))))


@pytest.fixture
def dense(tmp_path):
    annotations = [
        {"id": 10 * i + k, "image_id": i, "category_id": 1, "keypoints": [10 * k + 5, 50, 2], "area": k, "iscrowd": 0}
        for i in (1, 2)
        for k in range(1, 9)
    ]
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 100} for i in (1, 2)]
    categories = [{"id": 1, "name": "nodule", "keypoints": ["center"]}]
    path = tmp_path / "dense.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def kept(path):
    return [annotation["id"] for annotation in json.loads(path.read_text())["annotations"]]


def test_it_prints_one_line(dense, tmp_path, capsys):
    out = tmp_path / "sparse.json"
    run(dense, out, "--per-frame", 3)
    assert capsys.readouterr().out == f"{out}: 6 points on 2 images, 3.0 an image\n"
    assert len(kept(out)) == 6


def test_it_takes_every_option(dense, tmp_path, capsys):
    out = tmp_path / "sparse.json"
    run(dense, out, "--keep-share", 0.5, "--conspicuous-first")
    assert kept(out) == [15, 16, 17, 18, 25, 26, 27, 28]
    run(dense, out, "--one-per-cluster-px", 15, "--conspicuous-first", "--overwrite")
    assert kept(out) == [12, 14, 16, 18, 22, 24, 26, 28]
    capsys.readouterr()
    run(dense, out, "--per-frame", 4, "--jitter-px", 2, "--false-share", 0.5, "--seed", 7, "--overwrite")
    assert "4 of the points are false" in capsys.readouterr().out
    run(dense, out, "--per-frame", 9, "--fewer-are-whole", "--overwrite")
    assert "; whole images: 2" in capsys.readouterr().out
    run(dense, out, "--per-frame", 4, "--some-whole", 1, "--overwrite")
    assert "12 points on 2 images, 6.0 an image; whole images: 1" in capsys.readouterr().out
    run(dense, tmp_path / "far.json", "--false-share", 1, "--false-distance-px", 90)
    assert len(kept(tmp_path / "far.json")) == 16


def test_share_and_number_exclude_each_other(dense, tmp_path):
    with pytest.raises(SystemExit):
        run(dense, tmp_path / "o.json", "--per-frame", 3, "--keep-share", 0.5)


def test_the_input_and_an_existing_file_are_safe(dense, tmp_path):
    before = dense.read_bytes()
    with pytest.raises(InputError, match="is the input itself"):
        run(dense, dense, "--per-frame", 1, "--overwrite")
    run(dense, tmp_path / "o.json", "--per-frame", 1)
    with pytest.raises(InputError, match="exists already"):
        run(dense, tmp_path / "o.json", "--per-frame", 1)
    assert dense.read_bytes() == before


def test_false_points_without_room_are_said_to_be_missing(dense, tmp_path, capsys):
    run(dense, tmp_path / "o.json", "--per-frame", 4, "--false-share", 3, "--false-distance-px", 1000)
    assert "some 24 false points were asked for; there is no room for more" in capsys.readouterr().out
    run(dense, tmp_path / "p.json", "--per-frame", 4, "--false-share", 3, "--false-distance-px", 5)
    assert "no room" not in capsys.readouterr().out


def test_a_link_that_leads_nowhere_and_a_bad_folder_are_named(dense, tmp_path):
    (tmp_path / "link.json").symlink_to(tmp_path / "nowhere.json")
    with pytest.raises(InputError, match=r"link\.json: exists already"):
        run(dense, tmp_path / "link.json", "--per-frame", 3)
    with pytest.raises(InputError, match=r"dense\.json: this folder cannot be made"):
        run(dense, dense / "o.json", "--per-frame", 3)


def test_whole_frames_name_a_bad_seed(dense, tmp_path):
    with pytest.raises(InputError, match="seed is -1"):
        run(dense, tmp_path / "o.json", "--whole-frames", 1, "--seed", -1)
