"""Thinning of whole files, and label files that are refused."""

import json
import math

import pytest
from thin_labels import GRID, labels, points

from carcinosis_loc.annotations.thinning import thin
from carcinosis_loc.annotations.thinning_of_files import thin_file
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError


def broken(change):
    dense = labels(GRID[:2], area=4.0)
    change(dense)
    return dense


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("images"), "'images' must be there"),
        (lambda d: d.pop("annotations"), "'annotations' must be there"),
        (lambda d: d.update(categories=[]), "'categories' must hold a category"),
        (lambda d: d.update(categories=None), "'categories' must be there"),
        (lambda d: d.update(images=[3]), "'images' must be there and be a list of objects"),
        (lambda d: d["images"][0].pop("id"), "image number 0 in its list has no whole 'id'"),
        (lambda d: d["categories"][0].update(keypoints=7), "category 1: 'keypoints' must be a list"),
        (
            lambda d: d["annotations"][1].update(conspicuity=math.nan),
            "annotation 2: 'conspicuity' is nan, which is no finite number",
        ),
        (lambda d: d["images"].append(d["images"][0]), "image id 1 is there twice"),
        (lambda d: d["images"][0].pop("width"), "image 1 has no whole, positive 'width'"),
        (lambda d: d["images"][0].update(height=0), "image 1 has no whole, positive 'height'"),
        (lambda d: d["annotations"][1].update(id=1), "annotation id 1 is there twice"),
        (lambda d: d["annotations"][1].update(id="2"), "annotation number 1 in its list has no whole 'id'"),
        (lambda d: d["annotations"][1].update(image_id=8), "annotation 2 has image_id 8, which is no image's id"),
        (lambda d: d["annotations"][1].update(image_id=[1]), "annotation 2 has image_id"),
        (lambda d: d["annotations"][1].pop("keypoints"), "annotation 2 has no list 'keypoints'"),
        (lambda d: d["annotations"][1]["keypoints"].append(1), "annotation 2: 'keypoints' has 4 numbers"),
        (lambda d: d["annotations"][1].update(keypoints=[1, "a", 2]), "annotation 2: 'keypoints' holds 'a'"),
        (lambda d: d["annotations"][1].update(keypoints=[1, math.nan, 2]), "annotation 2: 'keypoints' holds nan"),
        (lambda d: d["annotations"][1].update(keypoints=[1, 1, True]), "annotation 2: 'keypoints' holds True"),
    ],
)
def test_a_malformed_file_is_refused_by_name(change, message):
    with pytest.raises(InputError, match=message) as caught:
        thin(broken(change), source="dense.json", per_frame=1, conspicuous_first=True)
    assert str(caught.value).startswith("dense.json: ")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"keep_share": 0.5, "per_frame": 5}, "exclude each other"),
        ({"keep_share": 1.5}, "keep_share is 1.5"),
        ({"keep_share": math.nan}, "keep_share is nan"),
        ({"per_frame": -1}, "per_frame is -1"),
        ({"conspicuous_first": True}, "conspicuous_first needs"),
        ({"jitter_px": -1.0}, "jitter_px is -1.0"),
        ({"jitter_px": math.inf}, "jitter_px is inf"),
        ({"false_share": -0.1}, "false_share is -0.1"),
        ({"one_per_cluster_px": -2.0}, "one_per_cluster_px is -2.0"),
        ({"false_distance_px": math.nan}, "false_distance_px is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_impossible_arguments_are_refused(how, message):
    with pytest.raises(InputError, match=message):
        thin(labels(GRID), **how)


def test_no_object_at_the_top():
    with pytest.raises(InputError, match="holds no JSON object"):
        thin([1, 2])


def test_a_file_goes_in_and_another_comes_out(tmp_path):
    dense = tmp_path / "dense.json"
    dense.write_text(json.dumps(labels(GRID, GRID)))
    thin_file(dense, tmp_path / "new" / "sparse.json", per_frame=5, seed=3)
    written = json.loads((tmp_path / "new" / "sparse.json").read_text())
    assert written == thin(labels(GRID, GRID), per_frame=5, seed=3)


def test_no_file_is_overwritten_unasked(tmp_path):
    dense, out = tmp_path / "dense.json", tmp_path / "out.json"
    dense.write_text(json.dumps(labels(GRID)))
    out.write_text("mine")
    with pytest.raises(InputError, match=r"out.json: exists already.*--overwrite"):
        thin_file(dense, out)
    assert out.read_text() == "mine"
    thin_file(dense, out, per_frame=1, overwrite=True)
    assert len(points(json.loads(out.read_text()))) == 1
    (tmp_path / "link.json").symlink_to(dense)
    for same in (dense, tmp_path / "x" / ".." / "dense.json", tmp_path / "link.json"):
        with pytest.raises(InputError, match="is the input itself"):
            thin_file(dense, same, overwrite=True)
    assert json.loads(dense.read_text()) == labels(GRID)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_json_is_named(tmp_path, data):
    (tmp_path / "in.json").write_bytes(data)
    with pytest.raises(InputError, match=r"in.json: is no JSON"):
        thin_file(tmp_path / "in.json", tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"in.json: cannot be read \(No such file"):
        thin_file(tmp_path / "in.json", tmp_path / "out.json")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_no_json_may_hold_is_refused_even_where_it_is_only_carried_along(value, tmp_path):
    coco = labels([(1, 2)])
    coco["images"][0]["exposure"] = [{"at": value}]
    (tmp_path / "a.json").write_text(json.dumps(coco))
    with pytest.raises(InputError, match=r"a\.json: holds NaN or Infinity"):
        thin_file(tmp_path / "a.json", tmp_path / "b.json", per_frame=1)
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [("images", "width", 10**400), ("images", "id", 10**400), ("annotations", "keypoints", [10**400, 1, 2])],
)
def test_numbers_that_no_float_can_hold_are_refused(place, key, value, tmp_path):
    coco = labels([(1, 2)])
    coco[place][0][key] = value
    with pytest.raises(InputError) as refused:
        thin(coco, per_frame=1, jitter_px=1)
    assert len(str(refused.value)) < 300


def test_an_area_that_no_float_can_hold_is_none():
    coco = labels([(1, 2)], area=10**400)
    with pytest.raises(InputError, match=r"annotation 1: 'area' is 1000.*which is no finite number"):
        thin(coco, per_frame=1, conspicuous_first=True)


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--fewer-are-whole"], "--fewer-are-whole needs --per-frame, which says how many were asked for; give it too"),
        (["--keep-share", "2"], "--keep-share is 2.0; it must be from 0 to 1"),
        (["--conspicuous-first"], "--conspicuous-first needs --keep-share, --per-frame or --one-per-cluster-px"),
    ],
)
def test_the_command_names_flags(flags, line, tmp_path, capsys):
    (tmp_path / "per_frame.json").write_text(json.dumps(labels(GRID)))
    assert main(["thin", str(tmp_path / "per_frame.json"), str(tmp_path / "out.json"), *flags]) == 2
    assert capsys.readouterr().err.startswith(f"carcloc: {line}")
    assert not (tmp_path / "out.json").exists()
