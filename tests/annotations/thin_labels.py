"""Label files to thin, and their points."""

from hypothesis import strategies as st


def labels(*images, size=(100, 120), **extra):
    """A file with one annotation for each point of each image; points are (x, y)."""
    annotations = [
        {"image_id": image_id, "category_id": 1, "keypoints": [x, y, 2], "num_keypoints": 1, "iscrowd": 0} | extra
        for image_id, points in enumerate(images, 1)
        for x, y in points
    ]
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": size[0], "width": size[1], "exhaustive": True}
            for i in range(1, len(images) + 1)
        ],
        "annotations": [annotation | {"id": i} for i, annotation in enumerate(annotations, 1)],
        "categories": [{"id": 1, "name": "nodule", "keypoints": ["center"], "skeleton": []}],
    }


def points(coco, image_id=None, false=False):
    return [
        tuple(annotation["keypoints"][i : i + 2])
        for annotation in coco["annotations"]
        if image_id in (None, annotation["image_id"]) and bool(annotation.get("false_point")) == false
        if not annotation.get("iscrowd")
        for i in range(0, len(annotation["keypoints"]), 3)
        if annotation["keypoints"][i + 2] > 0
    ]


GRID = [(x, y) for x in range(5, 120, 11) for y in range(5, 100, 11)]

some_points = st.lists(st.tuples(st.integers(0, 119), st.integers(0, 99)), max_size=25, unique=True)

seeds = st.integers(0, 2**40)


def many_points_an_annotation():
    dense = labels([], [])
    dense["categories"][0]["keypoints"] = ["a", "b", "c", "d"]
    dense["annotations"] = [
        {
            "id": 4,
            "image_id": 1,
            "category_id": 1,
            "keypoints": [1, 2, 2, 30, 40, 1, 0, 0, 0, 70, 80, 2],
            "num_keypoints": 3,
        },
        {
            "id": 9,
            "image_id": 2,
            "category_id": 1,
            "keypoints": [5, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            "num_keypoints": 1,
        },
        {"id": 5, "image_id": 1, "category_id": 1, "iscrowd": 1, "bbox": [0, 0, 9, 9]},
    ]
    return dense
