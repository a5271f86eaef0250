"""How a network looks: what it may be told, and in which words it is told on."""

import pytest

from carcinosis_loc.look import ONCE, Look


def test_it_is_what_it_was_told():
    look = Look(8, [1, 1.5])
    assert look == Look(8, (1.0, 1.5)) != ONCE
    assert str(look) == "from 8 sides at scales 1, 1.5"
    assert look.options == "--inference.views 8 --inference.scales [1.0,1.5]"
    assert str(ONCE) == "from 1 side"
    assert str(Look(scales=(2.0,))) == "from 1 side at scale 2"
    assert hash(look) == hash(Look(8, (1.0, 1.5)))


def test_the_mean_knows_no_order_and_no_number():
    assert Look(scales=[2.0, 1.0, 2.0]) == Look(scales=[1, 2])
    assert Look(scales=[1, 1.0]) == ONCE
    assert "[0.3333333333333333]" in Look(scales=[1 / 3]).options


def test_another_one_keeps_what_is_not_said():
    look = Look(4, (1.0, 2.0))
    assert look.but() == look
    assert look.but(views=1) == Look(1, (1.0, 2.0))
    assert look.but(scales=[1.0]) == Look(4)


@pytest.mark.parametrize("views", [0, 3, 16, True, 8.0, "8", None])
def test_there_are_no_three_views(views):
    with pytest.raises(ValueError, match="1, 2, 4 or 8"):
        Look(views)


@pytest.mark.parametrize(
    ("scales", "why"),
    [
        ([], "numbers such as"),
        ("12", "numbers such as"),
        (1.5, "numbers such as"),
        ([True], "numbers such as"),
        ([1.0] * 9, "8 at most"),
        ([0.2], "between 0.25 and 4"),
        ([float("nan")], "between"),
        ([10**400], "between"),
    ],
)
def test_what_is_no_scale_is_refused(scales, why):
    with pytest.raises(ValueError, match=why):
        Look(scales=scales)
