"""Which points ``thin`` keeps, moves and makes up."""

import copy
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thin_labels import GRID, labels, many_points_an_annotation, points, seeds, some_points

from carcinosis_loc.annotations.thinning import count_points, thin
from carcinosis_loc.errors import InputError

WHOLE = {"fewer_are_whole": True}


def test_nothing_asked_keeps_all_points_and_says_that_they_are_not_all():
    dense = labels(GRID[:7], [])
    sparse = thin(dense)
    assert sparse["annotations"] == dense["annotations"]
    assert [image["exhaustive"] for image in sparse["images"]] == [False, False]
    assert sparse["categories"] == dense["categories"]


@given(some_points, some_points, st.integers(0, 8), seeds)
def test_per_frame_keeps_that_many_of_the_points(first, second, n, seed):
    dense = labels(first, second)
    before = copy.deepcopy(dense)
    sparse = thin(dense, per_frame=n, seed=seed)
    assert dense == before
    assert len(sparse["images"]) == 2
    for image_id, there in ((1, first), (2, second)):
        kept = points(sparse, image_id)
        assert len(kept) == min(n, len(there)) == len(set(kept))
        assert set(kept) <= set(there)


@given(some_points, st.floats(0, 1), seeds)
def test_keep_share_keeps_the_share_up_to_one_point(there, share, seed):
    kept = points(thin(labels(there), keep_share=share, seed=seed))
    assert abs(len(kept) - share * len(there)) < 1 + 1e-9
    assert set(kept) <= set(there)


def test_keep_share_is_right_on_the_mean():
    dense = labels(*[GRID[:7]] * 400)
    assert count_points(thin(dense, keep_share=0.3)) == pytest.approx(0.3 * 7 * 400, rel=0.05)


@given(some_points, st.integers(0, 6), st.integers(0, 6), seeds)
def test_fewer_points_are_a_part_of_more_points(there, n, more, seed):
    few, many = (set(points(thin(labels(there), per_frame=k, seed=seed))) for k in (n, n + more))
    assert few <= many


@given(some_points, some_points, seeds, st.randoms(use_true_random=False))
def test_the_order_of_annotations_does_not_matter(first, second, seed, random):
    dense = labels(first, second)
    shuffled = copy.deepcopy(dense)
    random.shuffle(shuffled["annotations"])
    how = {"keep_share": 0.5, "jitter_px": 2.0, "false_share": 0.3, "one_per_cluster_px": 4.0, "seed": seed}
    assert thin(dense, **how) == thin(shuffled, **how)


@given(some_points, some_points, seeds)
def test_an_image_does_not_depend_on_the_others(first, second, seed):
    alone, together = labels(first), labels(first, second)
    how = {"keep_share": 0.5, "jitter_px": 2.0, "false_share": 0.5, "seed": seed}
    for false in (False, True):
        assert points(thin(alone, **how), 1, false) == points(thin(together, **how), 1, false)


@given(some_points, st.floats(0.5, 40), seeds)
def test_one_per_cluster_leaves_no_two_closer_and_no_gap(there, gap, seed):
    kept = points(thin(labels(there), one_per_cluster_px=gap, seed=seed))
    for i, (x, y) in enumerate(kept):
        assert all(math.hypot(x - u, y - v) >= gap for u, v in kept[:i])
    for x, y in there:
        assert (x, y) in kept or any(math.hypot(x - u, y - v) < gap for u, v in kept)


@given(some_points, st.integers(1, 10), seeds)
def test_conspicuous_first_keeps_the_greatest(there, n, seed):
    dense = labels(there, area=1.0)
    for annotation in dense["annotations"]:
        annotation["conspicuity"] = round(float(np.sin(annotation["id"])), 3)
    by_place = {tuple(a["keypoints"][:2]): a["conspicuity"] for a in dense["annotations"]}
    kept = points(thin(dense, per_frame=n, conspicuous_first=True, seed=seed))
    assert sorted(by_place[p] for p in kept) == sorted(by_place.values())[-n:]


def test_conspicuous_first_falls_back_on_the_area_and_settles_ties_by_chance():
    dense = labels(GRID[:6], area=3.0)
    dense["annotations"][2]["area"] = 9
    dense["annotations"][0]["conspicuity"] = 1.0  # not on all: not used
    found = [points(thin(dense, per_frame=2, conspicuous_first=True, seed=seed)) for seed in range(30)]
    assert all(GRID[2] in kept for kept in found)
    assert len({tuple(sorted(kept)) for kept in found}) == 5


def test_conspicuous_first_needs_something_to_go_by():
    dense = labels(GRID[:2])
    dense["annotations"][0]["area"] = 5
    with pytest.raises(InputError, match=r"x.json: .*annotation 1 has no conspicuity and annotation 2 no area"):
        thin(dense, source="x.json", per_frame=1, conspicuous_first=True)


@given(some_points, st.floats(0.1, 50), seeds)
def test_jittered_points_stay_on_the_image(there, sigma, seed):
    moved = points(thin(labels(there), jitter_px=sigma, seed=seed))
    assert len(moved) == len(there)
    assert all(0 <= x <= 119 and 0 <= y <= 99 for x, y in moved)


def test_jitter_has_the_sigma_in_both_directions_and_does_not_change_the_choice():
    there = [(500 + 0.5 * i, 500.0) for i in range(600)]
    dense = labels(there, size=(1000, 1400), bbox=[1, 1, 3, 3])
    sparse = thin(dense, keep_share=0.9, jitter_px=3.0)
    still = thin(dense, keep_share=0.9)
    assert [a["id"] for a in sparse["annotations"]] == [a["id"] for a in still["annotations"]]
    steps = np.array(
        [
            np.subtract(a["keypoints"], b["keypoints"])[:2]
            for a, b in zip(sparse["annotations"], still["annotations"], strict=True)
        ]
    )
    np.testing.assert_allclose(steps.std(0), 3.0, rtol=0.12)
    np.testing.assert_allclose(steps.mean(0), 0.0, atol=0.5)
    assert not any("bbox" in annotation for annotation in sparse["annotations"])


@given(some_points, st.floats(0, 1), st.floats(0, 15), seeds)
def test_false_points_are_new_marked_and_away_from_the_true_ones(there, share, distance, seed):
    dense = labels(there)
    sparse = thin(dense, per_frame=10, false_share=share, false_distance_px=distance, seed=seed)
    false = points(sparse, false=True)
    n = len(points(sparse))
    assert len(false) <= share * n + 1
    assert all(math.hypot(x - u, y - v) >= distance for x, y in false for u, v in there)
    assert all(0 <= x <= 119 and 0 <= y <= 99 for x, y in false)
    ids = [annotation["id"] for annotation in sparse["annotations"]]
    assert len(ids) == len(set(ids))
    assert count_points(sparse) == n + len(false)


def test_the_number_of_false_points_is_right_on_the_mean():
    dense = labels(*[GRID[:6]] * 300)
    sparse = thin(dense, per_frame=5, false_share=0.3)
    assert len(points(sparse, false=True)) == pytest.approx(0.3 * 5 * 300, rel=0.08)


def test_an_image_without_room_gets_no_false_points():
    assert points(thin(labels(GRID), false_share=1.0, false_distance_px=50.0), false=True) == []


@given(st.integers(0, 4), seeds)
def test_every_visible_triple_is_a_point(n, seed):
    sparse = thin(many_points_an_annotation(), per_frame=n, seed=seed)
    assert len(points(sparse, 1)) == min(n, 3)
    assert set(points(sparse, 1)) <= {(1, 2), (30, 40), (70, 80)}
    for annotation in sparse["annotations"]:
        if not annotation.get("iscrowd"):
            assert len(annotation["keypoints"]) == 12
            assert annotation["num_keypoints"] == sum(v > 0 for v in annotation["keypoints"][2::3]) > 0


def test_ignore_regions_stay_and_visibility_flags_too():
    dense = many_points_an_annotation()
    sparse = thin(dense, per_frame=9)
    assert {annotation["id"]: annotation for annotation in sparse["annotations"]} == {
        annotation["id"]: annotation for annotation in dense["annotations"]
    }
    assert [a["id"] for a in thin(dense, per_frame=0)["annotations"]] == [5]


def test_false_points_fit_the_category():
    sparse = thin(many_points_an_annotation(), false_share=1.0, seed=1)
    false = [annotation for annotation in sparse["annotations"] if annotation.get("false_point")]
    assert len(false) == 4
    assert all(len(annotation["keypoints"]) == 12 for annotation in false)


def test_negative_and_large_image_ids_have_streams_too():
    for image_id in (-7, 2**53):
        dense = labels(GRID)
        dense["images"][0]["id"] = image_id
        for annotation in dense["annotations"]:
            annotation["image_id"] = image_id
        assert len(points(thin(dense, per_frame=5))) == 5


def test_images_with_fewer_points_than_asked_for_stay_whole_if_that_is_wanted():
    dense = labels([], GRID[:2], GRID[:3], GRID[:9], GRID[:2])
    dense["images"][4]["exhaustive"] = False
    whole = [[image["exhaustive"] for image in thin(dense, per_frame=3, **how)["images"]] for how in ({}, WHOLE)]
    assert whole == [[False] * 5, [True, True, False, False, False]]


@given(some_points, st.integers(0, 8), st.floats(0, 30), seeds)
def test_no_image_that_lost_a_point_is_whole(there, n, gap, seed):
    sparse = thin(labels(there), per_frame=n, one_per_cluster_px=gap, seed=seed, **WHOLE)
    assert sparse["images"][0]["exhaustive"] == (len(points(sparse)) == len(there) < n)


def test_fewer_than_what_has_to_be_said():
    with pytest.raises(InputError, match="fewer_are_whole needs per_frame"):
        thin(labels(GRID[:2]), keep_share=0.5, **WHOLE)


def test_some_images_keep_all_and_are_whole():
    dense = labels(GRID[:9], GRID[:2], GRID[:8], GRID[:7], GRID[:9])
    dense["images"][4]["exhaustive"] = False
    alone = thin(dense, per_frame=3, seed=4)
    before: set[int] = set()
    for n in (1, 2, 3):
        sparse = thin(dense, per_frame=3, some_whole=n, seed=4)
        whole = {image["id"] for image in sparse["images"] if image["exhaustive"]}
        assert len(whole) == n
        assert before < whole <= {1, 3, 4}  # one has no more than it keeps, one is not known to be marked in full
        for image_id in range(1, 6):
            source = dense if image_id in whole else alone
            assert set(points(sparse, image_id)) == set(points(source, image_id))
        before = whole
    with pytest.raises(InputError, match="some_whole is 4; points are left out on 3 of the images alone"):
        thin(dense, per_frame=3, some_whole=4)
    with pytest.raises(InputError, match="some_whole is -1"):
        thin(dense, per_frame=3, some_whole=-1)
