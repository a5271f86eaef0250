from carcinosis_loc.annotations.write import coco_file, image_entry, point_annotation


def test_an_image_says_its_size_and_whether_all_is_labelled():
    assert image_entry(3, "a.png", (20, 30), exhaustive=True, group="p1") == {
        "id": 3,
        "file_name": "a.png",
        "width": 30,
        "height": 20,
        "group": "p1",
        "exhaustive": True,
    }
    assert "group" not in image_entry(3, "a.png", (20, 30), exhaustive=False)


def test_a_point_is_one_seen_keypoint():
    assert point_annotation(7, 3, (1.234, 5), (0, 4, 2.5, 2), 3.14159) == {
        "id": 7,
        "image_id": 3,
        "category_id": 1,
        "keypoints": [1.23, 5.0, 2],
        "num_keypoints": 1,
        "bbox": [0.0, 4.0, 2.5, 2.0],
        "area": 3.14,
        "iscrowd": 0,
    }


def test_a_file_holds_the_four_lists():
    file = coco_file([], [], "nothing")
    assert file["categories"] == [{"id": 1, "name": "nodule", "keypoints": ["center"], "skeleton": []}]
    assert file["info"] == {"description": "nothing"}
