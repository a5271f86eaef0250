from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from carcinosis_loc.callbacks.names import picture_names
from carcinosis_loc.points import Frame


def names_of(*file_names):
    frames = [Frame(number, name, Path(name), (8, 8)) for number, name in enumerate(file_names, 1)]
    return list(picture_names(frames).values())


def test_a_name_of_its_own_is_kept():
    assert names_of("x.png", "a/b/y.jpg") == ["x", "a_b_y"]


def test_equal_names_get_the_image_id():
    assert names_of("a/x.png", "b/x.png") == ["a_x", "b_x"]
    assert names_of("x.png", "x.jpg", "y.png") == ["x_1", "x_2", "y"]
    assert names_of("a/x.png", "a_x.png") == ["a_x_1", "a_x_2"]
    assert names_of("x.png", "X.png") == ["x_1", "X_2"]


def test_a_name_that_ends_in_an_id_is_no_trap():
    names = names_of("x.png", "x.jpg", "x_1.png", "x_2.png", "x_1_1.png")
    assert len(set(names)) == 5


def test_no_hidden_and_no_endless_names():
    (hidden, long) = names_of(".x.png", "f" * 400 + ".png")
    assert hidden == "x"
    assert len(long) == 50


@given(st.lists(st.text(alphabet="xX_1/.", min_size=1, max_size=6).map(lambda name: name + ".png"), max_size=12))
def test_no_two_names_are_the_same_and_none_is_a_path(file_names):
    names = names_of(*file_names)
    assert len({name.casefold() for name in names}) == len(file_names)
    assert all(name and "/" not in name and not name.startswith(".") for name in names)
