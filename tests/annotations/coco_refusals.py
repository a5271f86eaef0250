"""A label file that is refused, and what is said of it."""

import pytest

from carcinosis_loc.annotations.coco import read_coco
from carcinosis_loc.errors import InputError


def refused(path, image_dir, **how):
    """The one line that the file is refused with; it names the file."""
    with pytest.raises(InputError) as caught:
        read_coco(path, image_dir, **how)
    line = str(caught.value)
    assert "\n" not in line
    assert str(path) in line
    return line
