from dataclasses import replace

import numpy as np
import pytest

from carcinosis_loc.synthetic.fields import unit
from carcinosis_loc.synthetic.looks import draw_look
from carcinosis_loc.synthetic.nodules import paint_nodules
from carcinosis_loc.synthetic.placement import Sites, draw_sites
from carcinosis_loc.synthetic.scene import Scene, linear, shade

LOOK = replace(draw_look(np.random.default_rng(0)), light_offset=(0.0, 0.0), hyperaemia=0.3)


def flat_scene(size=(192, 192), colour=(205, 110, 100)):
    albedo = np.broadcast_to(linear(*colour), (3, *size)).astype(np.float32).copy()
    zero = np.zeros(size, np.float32)
    return Scene(albedo, zero, zero + np.float32(0.9), zero.copy(), np.zeros(size, bool))


def one_nodule(seed, xy, radius_px, scene):
    return paint_nodules(
        np.random.default_rng(seed), LOOK, scene, Sites(np.array([xy], np.float32), np.array([radius_px], np.float32))
    )


def centroid(weight):
    y, x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


@pytest.mark.parametrize("radius_px", [1.7, 2.5, 4.2, 6.0, 8.0, 10.5])
@pytest.mark.parametrize("seed", range(6))
def test_a_nodule_is_drawn_around_its_point(seed, radius_px):
    rng = np.random.default_rng(100 + seed)
    scene, before = flat_scene(), flat_scene()
    found = one_nodule(seed, rng.uniform(60, 130, 2), radius_px, scene)
    assert len(found) == 1
    # what makes it a nodule: the paler colour (the red rim lies around it and is left out)
    paler = np.clip(scene.albedo[2] - before.albedo[2], 0, None)
    assert np.abs(centroid(paler) - found.xy[0]).max() < 0.25
    # and as it is seen, with the shading of its dome
    seen = np.clip(np.sqrt(shade(scene, LOOK)[2]) - np.sqrt(shade(before, LOOK)[2]), 0, None)
    assert np.abs(centroid(seen) - found.xy[0]).max() < 0.5


@pytest.mark.parametrize("size", [(192, 192), (384, 500)])
def test_the_drawn_size_is_that_of_the_radius(size):
    scene, before = flat_scene(size), flat_scene(size)
    radius = 8.0 * unit(size)
    one_nodule(3, (size[1] / 2, size[0] / 2), radius, scene)
    drawn = np.clip(scene.albedo[2] - before.albedo[2], 0, None)
    area = float((drawn > 0.5 * drawn.max()).sum())
    assert 0.6 < area / (np.pi * radius**2) < 1.5


def test_a_nodule_on_the_border_is_cut_off_and_keeps_its_centre():
    scene, before = flat_scene(), flat_scene()
    found = one_nodule(1, (0.5, 100.0), 6.0, scene)
    assert abs(found.xy[0, 0] - 0.5) < 0.7
    changed = np.argwhere((scene.albedo != before.albedo).any(0))
    assert changed[:, 1].min() == 0
    assert changed[:, 1].max() < 16


@pytest.mark.parametrize("radius_px", [1.7, 3.0, 5.0])
def test_even_the_faintest_nodule_can_be_seen(radius_px):
    for seed in range(30):
        scene, before = flat_scene(), flat_scene()
        found = one_nodule(seed, (96.0, 96.0), radius_px, scene)
        x, y = np.rint(found.xy[0]).astype(int)
        after, was = (
            np.sqrt(s.albedo * s.light)[:, y - 1 : y + 2, x - 1 : x + 2].mean((1, 2)) for s in (scene, before)
        )
        assert np.sqrt(np.mean((after - was) ** 2)) > 0.05


def test_a_nodule_that_would_look_like_its_ground_is_left_out():
    tone = tuple(np.sqrt(LOOK.nodule_tone.ravel()) * 255)
    painted = sum(len(one_nodule(seed, (96.0, 96.0), 4.0, flat_scene(colour=tone))) for seed in range(20))
    assert painted < 4


def test_conspicuity_grows_with_contrast_and_with_size():
    def mean(radius, colour):
        return np.mean([one_nodule(s, (96.0, 96.0), radius, flat_scene(colour=colour)).conspicuity for s in range(20)])

    dark, pale = (140, 60, 50), (225, 150, 135)
    assert 0 < mean(2.0, pale) < mean(4.0, pale) < mean(8.0, pale) < 1
    assert mean(4.0, dark) > mean(4.0, pale) + 0.05


def test_sites_keep_their_distance_and_lie_where_they_may():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scene = flat_scene()
        scene.blocked[:, :80] = True
        sites = draw_sites(rng, draw_look(rng), scene)
        if len(sites.xy) < 2:
            continue
        assert (np.rint(sites.xy[:, 0]) >= 80).all()
        gaps = np.hypot(*(sites.xy[:, None] - sites.xy[None]).T) + 1e9 * np.eye(len(sites.xy))
        least = np.maximum(1.3 * (sites.radius_px[:, None] + sites.radius_px[None]), 7.0)
        assert (gaps >= least - 1e-3).all()


def test_a_wholly_blocked_frame_has_no_sites():
    scene = flat_scene()
    scene.blocked[:] = True
    assert len(draw_sites(np.random.default_rng(0), LOOK, scene).xy) == 0


def test_about_36_nodules_a_frame_widely_spread_and_clustered():
    counts, clustered = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        sites = draw_sites(rng, draw_look(rng), flat_scene())
        counts.append(len(sites.xy))
        if len(sites.xy) > 15:
            quarters = np.histogram2d(*sites.xy.T, bins=3, range=[[0, 192]] * 2)[0].ravel()
            clustered.append(quarters.var() / quarters.mean())
    assert 32 < np.mean(counts) < 40
    assert 0 < np.mean(np.array(counts) == 0) < 0.1
    assert 9 < np.std(counts) < 20
    assert np.median(clustered) > 1.5  # 1 for a Poisson process
