"""Reading label files: what is read, and what is refused in one line."""

import json

import numpy as np
import pytest
from coco_refusals import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.errors import InputError


def test_every_visible_triple_is_a_point_and_images_without_annotation_are_frames(labels, image_dir, write, capsys):
    first, second = read_coco(write(labels), image_dir)
    assert (first.image_id, first.file_name, first.size) == (1, "a.png", (30, 40))
    assert first.path == image_dir / "a.png"
    np.testing.assert_array_equal(first.points.xy, np.float32([[5, 6.5], [39.5, -0.5], [10, 11]]))
    assert (second.image_id, second.size, len(second.points)) == (2, (10, 20), 0)
    assert first.exhaustive is None
    assert first.group is None
    assert capsys.readouterr().out == ""  # pycocotools is kept quiet


def test_other_fields_of_an_image(labels, image_dir, write):
    labels["images"][0] |= {"exhaustive": True, "group": "patient 3", "stratum": "dark"}
    labels["images"][1] |= {"exhaustive": False, "group": 12}
    first, second = read_coco(write(labels), image_dir)
    assert (first.exhaustive, first.group, dict(first.extra)) == (True, "patient 3", {"stratum": "dark"})
    assert (second.exhaustive, second.group) == (False, "12")


def test_frames_come_in_the_order_of_the_file(labels, image_dir, write):
    labels["images"].reverse()
    assert [frame.image_id for frame in read_coco(write(labels), image_dir)] == [2, 1]


def test_crowds_are_ignore_regions(labels, image_dir, write):
    labels["annotations"].append({"id": 3, "image_id": 2, "category_id": 7, "iscrowd": 1, "bbox": [1, 2, 3, 4]})
    _, second = read_coco(write(labels), image_dir)
    np.testing.assert_array_equal(second.ignore[0], [[1, 2], [4, 2], [4, 6], [1, 6]])
    assert len(second.points) == 0


def test_several_categories_need_a_choice_by_name_or_id(labels, image_dir, write):
    labels["categories"].append({"id": 8, "name": "look-alike"})
    labels["annotations"][1] = {"id": 2, "image_id": 1, "category_id": 8, "bbox": [0, 0, 3, 3]}  # no keypoints
    path = write(labels)
    for line in (refused(path, image_dir), refused(path, image_dir, category="polyp")):
        assert "data.category" in line
        assert "'nodule' (id 7), 'look-alike' (id 8)" in line
    for choice in ("nodule", "7"):
        assert len(read_coco(path, image_dir, category=choice)[0].points) == 2
    assert "keypoints" in refused(path, image_dir, category="look-alike")


def test_an_image_list_needs_no_labels(labels, image_dir, write):
    path = write({"images": labels["images"]})
    assert [len(frame.points) for frame in read_coco(path, image_dir, with_labels=False)] == [0, 0]
    assert '"categories"' in refused(path, image_dir)


def test_images_are_not_looked_at_unless_asked(labels, tmp_path, write):
    assert len(read_coco(write(labels), tmp_path / "nowhere", check_images=False)) == 2
    with pytest.raises(InputError, match=r"nowhere: there is no such image folder; set data\.image_dir"):
        read_coco(write(labels), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no valid JSON"),
        ("{", "no valid JSON"),
        ("\x00\x01", "no valid JSON"),
        ("[" * 200_000, "no valid JSON"),
        ("[]", "must be a JSON object"),
        ("3", "must be a JSON object"),
        ('{"images": []}', '"categories" is missing'),
        ('{"images": {}, "annotations": [], "categories": []}', '"images" must be a list'),
        ('{"images": [3], "annotations": [], "categories": []}', "images[0] must be an object"),
    ],
)
def test_files_that_are_no_label_files(text, words, image_dir, write):
    assert words in refused(write(text), image_dir)


def test_files_that_cannot_be_read(image_dir, tmp_path, write):
    assert "cannot be read" in refused(tmp_path / "missing.json", image_dir)
    assert "cannot be read" in refused(tmp_path, image_dir)
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"images": "\xe9"}')
    assert "no valid JSON" in refused(path, image_dir)


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_a_missing_list(key, labels, image_dir, write):
    del labels[key]
    assert f'"{key}" is missing' in refused(write(labels), image_dir)


REMOVED = object()

NAN, INFINITE = float("nan"), float("inf")

BAD_ENTRIES = [
    # ids and references
    ("images", 1, {"id": 1}, "image id 1: this id occurs twice, in images[0] and [1]"),
    ("annotations", 1, {"id": 1}, "annotation id 1: this id occurs twice"),
    ("images", 0, {"id": REMOVED}, 'images[0]: the key "id" is missing'),
    ("images", 0, {"id": "1"}, 'images[0]: "id" must be an integer'),
    ("images", 0, {"id": True}, 'images[0]: "id" must be an integer'),
    ("annotations", 0, {"id": 1.5}, 'annotations[0]: "id" must be an integer'),
    ("annotations", 0, {"image_id": 99}, 'annotation id 1: "image_id" 99 is not the id of any image'),
    ("annotations", 0, {"image_id": REMOVED}, 'annotation id 1: the key "image_id" is missing'),
    ("annotations", 0, {"image_id": True}, 'annotation id 1: "image_id" must be an integer'),
    ("annotations", 0, {"category_id": 8}, '"category_id" 8 is not the id of any category'),
    ("annotations", 0, {"category_id": REMOVED}, 'the key "category_id" is missing'),
    ("categories", 0, {"id": REMOVED}, 'categories[0]: the key "id" is missing'),
    ("categories", 0, {"name": REMOVED}, 'category id 7: the key "name" is missing'),
    ("categories", 0, {"name": ["x"]}, 'category id 7: "name" must be a text'),
    # keypoints
    ("annotations", 0, {"keypoints": REMOVED}, 'annotation id 1: the key "keypoints" is missing'),
    ("annotations", 0, {"keypoints": REMOVED, "bbox": [1, 1, 2, 2]}, 'the key "keypoints" is missing'),
    ("annotations", 0, {"keypoints": None}, 'annotation id 1: "keypoints" must be a list'),
    ("annotations", 0, {"keypoints": "1,2,2"}, '"keypoints" must be a list'),
    ("annotations", 0, {"keypoints": [1, 2]}, "annotation id 1: \"keypoints\" must be x, y, v triples; 2 numbers"),
    ("annotations", 0, {"keypoints": [1, 2, 2, 4]}, "no multiple of 3"),
    ("annotations", 0, {"keypoints": [NAN, 2, 2]}, 'annotation id 1: "keypoints" must hold finite numbers only'),
    ("annotations", 0, {"keypoints": [1, INFINITE, 2]}, "finite numbers only, not inf"),
    ("annotations", 0, {"keypoints": [1, -INFINITE, 0]}, "finite numbers only, not -inf"),
    ("annotations", 0, {"keypoints": [10**400, 2, 2]}, "finite numbers only"),
    ("annotations", 0, {"keypoints": ["1", 2, 2]}, "finite numbers only, not '1'"),
    ("annotations", 0, {"keypoints": [None, 2, 2]}, "finite numbers only, not None"),
    ("annotations", 0, {"keypoints": [True, 2, 2]}, "finite numbers only, not True"),
    ("annotations", 0, {"keypoints": [[1, 2, 2]]}, "finite numbers only, not [1, 2, 2]"),
    ("annotations", 0, {"keypoints": [1, 2, -1]}, "the flag v = -1"),
    ("annotations", 0, {"keypoints": [39.51, 2, 2]}, "keypoints\" holds the point (39.51, 2), outside"),
    ("annotations", 0, {"keypoints": [-0.6, 2, 2]}, "outside the image of 40 x 30 pixels"),
    ("annotations", 0, {"keypoints": [3, 29.6, 2]}, "outside the image"),
    ("annotations", 0, {"keypoints": [3, -0.6, 1]}, "outside the image"),
    # ignore regions
    ("annotations", 0, {"iscrowd": 2}, 'annotation id 1: "iscrowd" must be 0 or 1'),
    ("annotations", 0, {"iscrowd": 1}, 'annotation id 1: "iscrowd" is 1, so it needs'),
    ("annotations", 0, {"iscrowd": 1, "bbox": [1, 2, 0, 3]}, '"bbox" must be [x, y, width, height]'),
    ("annotations", 0, {"iscrowd": 1, "bbox": [1, 2, 3]}, '"bbox" must be [x, y, width, height]'),
    ("annotations", 0, {"iscrowd": 1, "bbox": [NAN, 2, 3, 3]}, '"bbox" must hold finite numbers'),
    ("annotations", 0, {"iscrowd": 1, "bbox": [1, 2, 1e300, 3]}, '"bbox" lies far outside'),
    ("annotations", 0, {"iscrowd": 1, "segmentation": [[1, 2, 3, 4]]}, '"segmentation[0]" must hold x, y pairs'),
    ("annotations", 0, {"iscrowd": 1, "segmentation": [[1, 2, 3, 4, NAN, 6]]}, '"segmentation[0]" must hold finite'),
    ("annotations", 0, {"iscrowd": 1, "segmentation": "x"}, '"segmentation" must be polygons'),
    ("annotations", 0, {"iscrowd": 1, "segmentation": {"size": [3, 3], "counts": [9]}}, '"segmentation.size"'),
    ("annotations", 0, {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [9]}}, "add up to 1200 pixels"),
    ("annotations", 0, {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": [-9, 1209]}}, "run lengths"),
    ("annotations", 0, {"iscrowd": 1, "segmentation": {"size": [30, 40], "counts": "é"}}, "run lengths"),
    # images
    ("images", 0, {"file_name": REMOVED}, 'image id 1: the key "file_name" is missing'),
    ("images", 0, {"file_name": None}, 'image id 1: "file_name" must be a non-empty text'),
    ("images", 0, {"file_name": ""}, '"file_name" must be a non-empty text'),
    ("images", 0, {"file_name": "/etc/passwd"}, "must be relative to the image folder"),
    ("images", 0, {"file_name": "C:a.png"}, "must be relative to the image folder"),
    ("images", 0, {"file_name": "C:\\a.png"}, "must be relative to the image folder"),
    ("images", 0, {"file_name": "\\\\server\\share\\a.png"}, "must be relative to the image folder"),
    ("images", 0, {"file_name": "sub\\a.png"}, "must use / and not"),
    ("images", 0, {"file_name": "..\\a.png"}, "must use / and not"),
    ("images", 0, {"file_name": "../images/a.png"}, 'image id 1: "file_name" \'../images/a.png\' must not hold ".."'),
    ("images", 0, {"file_name": "sub/../a.png"}, 'must not hold ".."'),
    ("images", 0, {"file_name": ".."}, 'must not hold ".."'),
    ("images", 0, {"file_name": "a\0.png"}, "no file name may hold"),
    ("images", 0, {"file_name": "\ud800.png"}, "no file name may hold"),
    ("images", 0, {"file_name": "missing.png"}, "image id 1: \"file_name\" 'missing.png'"),
    ("images", 0, {"file_name": "x" * 300 + ".png"}, "image id 1"),
    ("images", 0, {"file_name": "sub"}, "is no image file"),
    ("images", 0, {"file_name": "."}, "is no image file"),
    ("images", 0, {"file_name": "sub/./b.png"}, "image id 2: \"file_name\" 'sub/b.png' is also that of image id 1"),
    ("images", 0, {"width": REMOVED}, 'image id 1: the key "width" is missing'),
    ("images", 0, {"height": REMOVED}, 'image id 1: the key "height" is missing'),
    ("images", 0, {"height": 0}, '"height" must be an integer of at least 1'),
    ("images", 0, {"width": 40.0}, '"width" must be an integer'),
    ("images", 0, {"width": "40"}, '"width" must be an integer'),
    ("images", 0, {"width": 41}, 'has 40 x 30 pixels (EXIF orientation obeyed), but "width" and "height" say 41 x 30'),
    ("images", 0, {"exhaustive": 1}, 'image id 1: "exhaustive" must be true or false'),
    ("images", 0, {"exhaustive": "yes"}, '"exhaustive" must be true or false'),
    ("images", 0, {"exhaustive": None}, '"exhaustive" must be true or false'),
    ("images", 0, {"group": 1.5}, 'image id 1: "group" must be a text or an integer'),
    ("images", 0, {"group": True}, '"group" must be a text or an integer'),
    ("images", 0, {"group": ""}, '"group" must be a text or an integer'),
]  # fmt: skip


@pytest.mark.parametrize(("key", "position", "fields", "words"), BAD_ENTRIES)
def test_bad_entries(key, position, fields, words, labels, image_dir, write):
    entry = labels[key][position]
    entry |= fields
    labels[key][position] = {name: value for name, value in entry.items() if value is not REMOVED}
    assert words in refused(write(labels), image_dir)


def test_two_categories_of_one_name(labels, image_dir, write):
    labels["categories"].append({"id": 8, "name": "nodule"})
    assert 'category id 8: "name" must be a text that occurs once' in refused(write(labels), image_dir)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_read_or_refused_in_one_line(data):
    """Nothing but frames or an InputError, whatever stands in the place of a value."""
    import tempfile
    from pathlib import Path

    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 9, "height": 9}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 1, 2], "iscrowd": 0,
                         "bbox": [0, 0, 2, 2], "segmentation": []}],
        "categories": [{"id": 1, "name": "nodule"}],
    }  # fmt: skip
    key = data.draw(st.sampled_from(list(document)))
    if data.draw(st.booleans()):
        entry = document[key][0]
        entry[data.draw(st.sampled_from([*entry, "exhaustive", "group"]))] = data.draw(json_values)
        if key == "annotations" and data.draw(st.booleans()):
            entry["iscrowd"] = 1
    else:
        document[key] = data.draw(json_values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.json")
        path.write_text(json.dumps(document))
        try:
            frames = read_coco(path, folder, check_images=False)
            line = f"{path}: is sound"
        except InputError as error:
            frames = []
            line = str(error)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    assert all(np.isfinite(frame.points.xy).all() for frame in frames)


def test_time_grows_linearly(tmp_path, write):
    """Ten times the annotations take about ten times as long; a quadratic reader would take a hundred times."""
    import time

    def seconds(count):
        images = [{"id": i, "file_name": f"{i}.png", "width": 9, "height": 9} for i in range(count)]
        annotations = [{"id": i, "image_id": i, "category_id": 1, "keypoints": [1, 1, 2]} for i in range(count)]
        path = write({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "n"}]})
        start = time.process_time()
        assert len(read_coco(path, tmp_path, check_images=False)) == count
        return time.process_time() - start

    assert seconds(10_000) < 40 * max(seconds(1_000), 0.01)
