"""Images that label files name: what is no image, and links that lead out of the folder."""

import pytest
from coco_refusals import refused
from PIL import Image

from carcinosis_loc.annotations.coco import read_coco


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\nrubbish"])
def test_an_image_that_is_none(content, labels, image_dir, write):
    (image_dir / "a.png").write_bytes(content)
    line = refused(write(labels), image_dir)
    assert "image id 1" in line
    assert str(image_dir / "a.png") in line


def test_links_stay_inside_the_image_folder(labels, image_dir, tmp_path, write):
    path = write(labels)
    (tmp_path / "images_link").symlink_to(image_dir)
    assert len(read_coco(path, tmp_path / "images_link")) == 2  # the folder itself may be a link
    (image_dir / "a.png").rename(image_dir / "real.png")
    (image_dir / "a.png").symlink_to("real.png")
    assert len(read_coco(path, image_dir)) == 2  # and so may a file, as long as it stays inside
    (image_dir / "real.png").rename(tmp_path / "outside.png")
    (image_dir / "a.png").unlink()
    (image_dir / "a.png").symlink_to(tmp_path / "outside.png")
    assert "image id 1: \"file_name\" 'a.png' is a link to outside" in refused(path, image_dir)
    assert len(read_coco(path, image_dir, allow_symlinks=True)) == 2
    labels["images"][0]["file_name"] = "../outside.png"
    assert 'must not hold ".."' in refused(write(labels), image_dir, allow_symlinks=True)


def test_a_linked_folder_leads_outside_too(labels, image_dir, tmp_path, write):
    (image_dir / "sub").rename(tmp_path / "elsewhere")
    (image_dir / "sub").symlink_to(tmp_path / "elsewhere")
    assert "image id 2: \"file_name\" 'sub/b.png' is a link to outside" in refused(write(labels), image_dir)
    assert len(read_coco(write(labels), image_dir, allow_symlinks=True)) == 2


def test_a_neighbour_whose_name_begins_alike_is_outside(labels, image_dir, tmp_path, write):
    (tmp_path / "images2").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "images2" / "a.png")
    (image_dir / "a.png").unlink()
    (image_dir / "a.png").symlink_to(tmp_path / "images2" / "a.png")
    assert "is a link to outside" in refused(write(labels), image_dir)


def test_links_that_go_in_circles(labels, image_dir, write):
    (image_dir / "a.png").unlink()
    (image_dir / "a.png").symlink_to("a.png")
    assert "image id 1" in refused(write(labels), image_dir)
