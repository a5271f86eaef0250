"""Points out of masks that are drawn here, and frames out of windows of pictures."""

import json

import cv2
import numpy as np
import pytest

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.cli import main
from carcinosis_loc.configs import shipped_folder
from carcinosis_loc.errors import InputError
from carcinosis_loc.masks.cuts import COLUMNS, read_cuts
from carcinosis_loc.masks.objects import read_objects

SIZE = (40, 60)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def mask(*boxes):
    """White boxes ``(left, top, width, height)`` on black."""
    pixels = np.zeros(SIZE, np.uint8)
    for left, top, width, height in boxes:
        pixels[top : top + height, left : left + width] = 255
    return pixels


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """Two pictures with a mask each: an object in the middle and a small one; one on a border."""
    write(tmp_path / "images" / "a.png", picture(0))
    write(tmp_path / "images" / "b.png", picture(1))
    write(tmp_path / "marks" / "a_EX.png", mask((10, 20, 5, 3), (50, 30, 1, 1)))
    write(tmp_path / "marks" / "b_EX.tif", mask((0, 0, 4, 4)))
    return tmp_path


def test_each_component_is_an_object(tmp_path):
    file = write(tmp_path / "m.png", mask((10, 20, 5, 3), (15, 23, 2, 2), (40, 5, 1, 1)))  # the second touches a corner
    objects = read_objects(file, SIZE)
    assert len(objects.xy) == 2
    assert objects.xy[0].tolist() == [40, 5]
    assert objects.boxes.tolist() == [[40, 5, 1, 1], [10, 20, 7, 5]]
    assert objects.areas.tolist() == [1, 19]
    assert len(read_objects(file, SIZE, min_area_px=2).xy) == 1


def test_each_file_of_a_folder_is_an_object_of_however_many_parts(tmp_path):
    write(tmp_path / "masks" / "1.png", mask((10, 20, 5, 3)))
    write(tmp_path / "masks" / "2.png", mask((0, 0, 2, 2), (4, 0, 2, 2)))
    objects = read_objects(tmp_path / "masks", SIZE)
    assert objects.xy.tolist() == [[12, 21], [2.5, 0.5]]
    assert objects.boxes.tolist() == [[10, 20, 5, 3], [0, 0, 6, 2]]
    assert objects.areas.tolist() == [15, 8]


def test_a_folder_of_pictures_becomes_a_label_file(pictures, capsys):
    words = ["masks2points", str(pictures / "images"), str(pictures / "out"), "--mask-dir", str(pictures / "marks")]
    assert main([*words, "--mask-suffix", "_EX", "--min-area-px", "2", "--category", "lesion"]) == 0
    assert "2 images, 2 points" in capsys.readouterr().out
    frames = read_coco(pictures / "out" / "annotations" / "train_dense.json", pictures / "out" / "images")
    assert [frame.points.xy.tolist() for frame in frames] == [[[12, 21]], [[1.5, 1.5]]]
    assert all(frame.exhaustive for frame in frames)
    assert np.array_equal(cv2.imread(str(pictures / "out" / "images" / "a.png")), picture(0))


def test_masks_lie_beside_the_pictures_folder_by_default(tmp_path, capsys):
    for name in "ab":
        write(tmp_path / "in" / name / "images" / f"{name}.png", picture())
        write(tmp_path / "in" / name / "masks" / "x.png", mask((10, 20, 5, 3)))
    assert main(["masks2points", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    assert "2 images, 2 points" in capsys.readouterr().out


def cuts(path, *rows):
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    return path


def test_windows_are_cut_and_scaled_with_their_points(pictures):
    listed = cuts(
        pictures / "c.csv", "a,a_0.png,train,p1,8,16,20,10,40,20", "a,a_1.jpg,test,p1,30,20,30,20,30,20",
        "b,b_0.png,train,,0,0,60,40,60,40",
    )  # fmt: skip
    words = ["masks2points", str(pictures / "images"), str(pictures / "out"), "--mask-dir", str(pictures / "marks")]
    assert main([*words, "--mask-suffix", "_EX", "--cuts", str(listed)]) == 0
    annotations = pictures / "out" / "annotations"
    train = read_coco(annotations / "train_dense.json", pictures / "out" / "images")
    assert [(frame.file_name, frame.size, frame.group) for frame in train] == [
        ("a_0.png", (20, 40), "p1"),
        ("b_0.png", (40, 60), None),
    ]
    # (12, 21) is (4, 5) in the window; twice as fine: (x + 0.5) * 2 - 0.5
    assert train[0].points.xy.tolist() == [[8.5, 10.5]]
    (box,) = [one["bbox"] for one in json.loads((annotations / "train_dense.json").read_text())["annotations"][:1]]
    assert box == [4, 8, 10, 6]
    test = read_coco(annotations / "test_dense.json", pictures / "out" / "images")
    assert test[0].points.xy.tolist() == [[20, 10]]


@pytest.mark.parametrize(("name", "images"), [("nuclei.csv", 648), ("retina.csv", 305)])
def test_the_shipped_lists_are_sound(name, images):
    listed = read_cuts(shipped_folder() / "benchmarks" / name)
    assert len(listed) == images
    splits = {}
    for cut in listed:
        splits.setdefault(cut.group, set()).add(cut.split)
    assert all(len(found) == 1 for group, found in splits.items() if group)


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([], "no rows"),
        (["a,x.png,train,,0,0,a,1,1,1"], "line 2: left"),
        (["a,x.png,train,,0,0,0,1,1,1"], "line 2: a window"),
        (["a,x.png,train,,-1,0,1,1,1,1"], "line 2: a window"),
        (["a,x.png,dev,,0,0,1,1,1,1"], "split must be"),
        (["a,../x.png,train,,0,0,1,1,1,1"], "plain name"),
        (["a,x.gif,train,,0,0,1,1,1,1"], "plain name"),
        (["a,x.png,train,,0,0,1,1,1"], "line 2: left"),
        (["a,x.png,train,,0,0,1,1,1,1"] * 2, "two frames are called x.png"),
        (["z,x.png,train,,0,0,1,1,1,1"], "no picture called z"),
        (["a,x.png,train,,50,0,20,10,20,10"], "reaches out"),
    ],
)
def test_a_wrong_list_is_refused_and_nothing_is_left(pictures, capsys, rows, word):
    listed = cuts(pictures / "c.csv", *rows)
    words = ["masks2points", str(pictures / "images"), str(pictures / "out"), "--mask-dir", str(pictures / "marks")]
    refused([*words, "--mask-suffix", "_EX", "--cuts", str(listed)], word, pictures, capsys)


def refused(words, word, folder, capsys):
    assert main(words) == 2
    message = capsys.readouterr().err
    assert word in message
    assert message.count("\n") == 1
    assert not (folder / "out").exists()


def test_what_does_not_fit_is_refused_and_nothing_is_left(pictures, capsys):
    words = ["masks2points", str(pictures / "images"), str(pictures / "out")]
    refused(words, "--mask-dir", pictures, capsys)
    marks = [*words, "--mask-dir", str(pictures / "marks")]
    refused(marks, "no masks called a in", pictures, capsys)
    refused([*words, "--mask-dir", str(pictures / "none")], "no masks called a", pictures, capsys)
    refused([*marks, "--mask-suffix", "_EX", "--cuts", "no.csv"], "no.csv", pictures, capsys)
    write(pictures / "marks" / "b_EX.tif", np.zeros((5, 5), np.uint8))
    refused([*marks, "--mask-suffix", "_EX"], "5 x 5 px", pictures, capsys)
    write(pictures / "marks" / "b_EX.png", mask())
    refused([*marks, "--mask-suffix", "_EX"], "2 masks called b_EX", pictures, capsys)
    write(pictures / "images" / "more" / "a.png", picture())
    refused([*marks, "--mask-suffix", "_EX"], "told apart by their names", pictures, capsys)
    with pytest.raises(InputError, match="is empty"):
        read_objects(write(pictures / "m" / "1.png", mask()).parent, SIZE)
    with pytest.raises(InputError, match="no mask in this folder"):
        read_objects(_empty(pictures), SIZE)


def _empty(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def test_cuts_that_are_no_table_are_refused(tmp_path):
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "long.csv").write_text("x" * 200_000)
    for name, word in [("zero.csv", "does not end"), ("long.csv", "cannot be read")]:
        with pytest.raises(InputError, match=f"{name}: {word}"):
            read_cuts(tmp_path / name)
