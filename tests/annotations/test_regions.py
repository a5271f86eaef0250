import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.annotations.fields import Entry
from carcinosis_loc.annotations.regions import mask_polygons, region_polygons
from carcinosis_loc.errors import InputError

masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda size: arrays(np.uint8, size, elements=st.integers(0, 1))
)


def entry(**fields):
    return Entry("labels.json", "annotations", 0, {"id": 1, "iscrowd": 1, **fields})


def inside(polygons, size):
    """Pixel centres inside any polygon, by ray casting in plain Python floats."""
    found = np.zeros(size, np.uint8)
    for polygon in polygons:
        following = np.roll(polygon, -1, axis=0)
        for y, x in np.ndindex(*size):
            crossings = 0
            for (xa, ya), (xb, yb) in zip(polygon, following, strict=True):
                if (ya > y) != (yb > y) and x < xa + (y - ya) * (xb - xa) / (yb - ya):
                    crossings += 1
            found[y, x] |= crossings % 2
    return found


@settings(max_examples=60, deadline=None)
@given(masks)
def test_polygons_of_a_mask_hold_its_pixel_centres_and_no_others(mask):
    np.testing.assert_array_equal(inside(mask_polygons(mask), mask.shape), mask)


def test_a_ring_keeps_its_hole_and_what_lies_in_it():
    mask = np.zeros((11, 11), np.uint8)
    mask[1:10, 1:10], mask[3:8, 3:8], mask[5, 5] = 1, 0, 1
    np.testing.assert_array_equal(inside(mask_polygons(mask), mask.shape), mask)


@settings(max_examples=60, deadline=None)
@given(masks)
def test_run_lengths_as_a_list_and_as_a_string(mask):
    encoded = coco_mask.encode(np.asfortranarray(mask))
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    counts = runs if flat[0] == 0 else [0, *runs]
    for form in (counts, encoded["counts"].decode()):
        segmentation = {"size": list(mask.shape), "counts": form}
        polygons = region_polygons(entry(segmentation=segmentation), mask.shape)
        np.testing.assert_array_equal(inside(polygons, mask.shape), mask)


def test_long_run_lengths():
    mask = np.zeros((700, 900), np.uint8)
    cv2.circle(mask, (400, 300), 200, 1, -1)
    mask[100:600:7, 820] = 1
    segmentation = {"size": [700, 900], "counts": coco_mask.encode(np.asfortranarray(mask))["counts"].decode()}
    drawn = np.zeros_like(mask)
    for polygon in region_polygons(entry(segmentation=segmentation), (700, 900)):
        cv2.fillPoly(drawn, [np.round(polygon * 16).astype(np.int32)], 1, shift=4)
    np.testing.assert_array_equal(drawn, mask)


def test_a_polygon_goes_before_the_box():
    (polygon,) = region_polygons(entry(segmentation=[[1, 1, 5, 1, 5, 5]], bbox=[0, 0, 9, 9]), (10, 10))
    np.testing.assert_array_equal(polygon, [[1, 1], [5, 1], [5, 5]])
    assert polygon.dtype == np.float32


@pytest.mark.parametrize("counts", ["", "o", "0" * 40, "\x00", "~", "PPPPPPPPPPPPPPPPPPPPPPPPPPP"])
def test_strings_that_are_no_run_lengths(counts):
    with pytest.raises(ValueError, match=r"segmentation\.counts"):
        region_polygons(entry(segmentation={"size": [5, 5], "counts": counts}), (5, 5))


@pytest.mark.parametrize("size", [[10**5, 10**5], [10**6, 10**6], [1, 10**12]])
def test_a_region_of_a_few_bytes_does_not_take_all_memory(size, tmp_path):
    """Run lengths are drawn before any image is opened, at the size that the label file says."""
    images = [{"id": 1, "file_name": "a.png", "height": size[0], "width": size[1]}]
    mask = {"size": size, "counts": [size[0] * size[1]]}
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 1, "segmentation": mask}
    document = {"images": images, "annotations": [annotation], "categories": [{"id": 1, "name": "a"}]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"a\.json: image id 1: .* more than any image that can be read has"):
        read_coco(tmp_path / "a.json", tmp_path, check_images=False)
