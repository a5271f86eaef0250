import os

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from carcinosis_loc.annotations.images import image_size, list_images, read_image
from carcinosis_loc.errors import InputError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm", ".webp"])
def test_rgb_comes_back_as_it_was(suffix, pixels, tmp_path):
    path = tmp_path / f"image{suffix}"
    Image.fromarray(pixels).save(path, lossless=True)
    assert image_size(path) == (6, 9)
    read = read_image(path)
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous
    np.testing.assert_array_equal(read, pixels)


def test_grey_and_grey_with_alpha_are_repeated(pixels, tmp_path):
    grey = pixels[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(pixels[..., :2], "LA").save(tmp_path / "alpha.png")
    Image.fromarray(grey > 127).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), np.stack([grey] * 3, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "alpha.png"), np.stack([grey] * 3, -1))
    np.testing.assert_array_equal(read_image(tmp_path / "bits.png"), np.stack([(grey > 127) * 255] * 3, -1))


def test_alpha_is_dropped_and_colours_stay(pixels, tmp_path):
    alpha = np.random.default_rng(1).integers(0, 256, (6, 9, 1), dtype=np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], -1)).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png"), pixels)


def test_palettes(pixels, tmp_path):
    indices = (np.arange(54) % 4).astype(np.uint8).reshape(6, 9)
    palette = pixels.reshape(-1, 3)[:4]
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    image.save(tmp_path / "palette.png")
    image.save(tmp_path / "transparent.png", transparency=bytes([0, 255, 9, 128]))
    for name in ("palette.png", "transparent.png"):
        np.testing.assert_array_equal(read_image(tmp_path / name), palette[indices])


def test_cmyk(tmp_path):
    Image.new("CMYK", (9, 6), (0, 255, 255, 0)).save(tmp_path / "ink.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "ink.tif"), np.full((6, 9, 3), (255, 0, 0)))
    Image.new("CMYK", (16, 16), (255, 0, 255, 0)).save(tmp_path / "ink.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "ink.jpg").astype(int) - (0, 255, 0)).max() <= 3


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_png_is_divided_by_257_and_rounded(channels, tmp_path):
    shape = (64, 64) if channels == 1 else (64, 64, channels)
    deep = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    deep.flat[:3] = 0, 65535, 128
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    wanted = np.round(deep / 257).astype(np.uint8)
    wanted = np.stack([wanted] * 3, -1) if channels == 1 else wanted[..., 2::-1]
    assert image_size(tmp_path / "deep.png") == (64, 64)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), wanted)


def test_16_bit_grey_tiff(tmp_path):
    deep = np.arange(54, dtype=np.uint16).reshape(6, 9) * 1000
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "deep.tif")[..., 1], np.round(deep / 257))


def test_floats_are_refused(tmp_path):
    Image.fromarray(np.zeros((6, 9), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match=r"float\.tif.*32-bit floats"):
        read_image(tmp_path / "float.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(orientation, suffix, pixels, tmp_path):
    """Against Pillow's own way, and against what OpenCV shows."""
    path = tmp_path / f"turned{suffix}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    big = np.kron(pixels, np.ones((8, 8, 1), np.uint8))
    Image.fromarray(big).save(path, exif=exif, lossless=True)
    with Image.open(path) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image))
    read = read_image(path)
    np.testing.assert_array_equal(read, wanted)
    assert image_size(path) == read.shape[:2] == ((72, 48) if orientation >= 5 else (48, 72))
    if suffix == ".jpg":
        assert np.abs(cv2.imread(str(path))[..., ::-1].astype(int) - read).max() <= 2


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_orientations_that_are_none_change_nothing(orientation, pixels, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), pixels)


def test_a_16_bit_png_is_turned_once(tmp_path):
    """OpenCV must not turn what we turn ourselves."""
    deep = np.arange(54, dtype=np.uint16).reshape(6, 9) * 1000
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(deep).save(tmp_path / "deep.png", exif=exif)
    assert image_size(tmp_path / "deep.png") == (9, 6)
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png")[..., 0], np.rot90(np.round(deep / 257), -1))


@pytest.mark.parametrize("suffix", [".gif", ".png"])
def test_the_first_frame_of_an_animation(suffix, tmp_path):
    frames = [Image.new("RGB", (9, 6), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    frames[0].save(tmp_path / f"film{suffix}", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / f"film{suffix}"), np.full((6, 9, 3), (255, 0, 0)))


@pytest.mark.parametrize("kind", ["png", "jpg", "deep.png", "webp", "tif"])
def test_a_truncated_image_keeps_its_size_but_cannot_be_read(kind, tmp_path):
    path = tmp_path / f"cut.{kind}"
    noise = np.random.default_rng(0).integers(0, 65536, (90, 80, 3), dtype=np.uint16)
    cv2.imwrite(str(path), noise if "deep" in kind else noise.astype(np.uint8))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    if kind not in ("tif", "webp"):  # a TIFF's header may stand at the end; Pillow reads a WebP whole
        assert image_size(path) == (90, 80)
    with pytest.raises(InputError, match=r"cut\."):
        read_image(path)


def test_damaged_bytes_are_read_or_refused(pixels, tmp_path):
    """A flipped byte anywhere in the file gives an image or an InputError, nothing else."""
    generator = np.random.default_rng(0)
    for suffix in (".png", ".jpg", ".gif", ".tif", ".webp", ".bmp"):
        path = tmp_path / f"image{suffix}"
        Image.fromarray(pixels).save(path)
        sound = path.read_bytes()
        for _ in range(40):
            damaged = bytearray(sound)
            damaged[generator.integers(len(damaged))] = generator.integers(256)
            path.write_bytes(damaged)
            try:
                outcome = str(read_image(path).shape[2:])
            except InputError as error:
                outcome = str(error)
            assert outcome == "(3,)" or str(path) in outcome


def test_missing_and_unreadable(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    os.mkfifo(tmp_path / "pipe.png")
    for name, words in [("none.png", "no such image"), ("text.png", "no image"), ("pipe.png", "no image file"),
                        ("", "no image file")]:  # fmt: skip
        for read in (image_size, read_image):
            with pytest.raises(InputError, match=words) as caught:
                read(tmp_path / name)
            assert str(tmp_path / name) in str(caught.value)


def test_wide_is_fine_and_a_bomb_is_not(tmp_path):
    Image.new("1", (20_000, 300)).save(tmp_path / "wide.png")
    assert image_size(tmp_path / "wide.png") == (300, 20_000)
    Image.new("1", (10_000, 10_000)).save(tmp_path / "large.png")  # Pillow warns of it; we do not
    assert image_size(tmp_path / "large.png") == (10_000, 10_000)
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError, match=r"bomb\.png: the image has 400,000,000 pixels"):
        image_size(tmp_path / "bomb.png")


def test_images_of_a_folder_in_order(pixels, tmp_path):
    for name in ("b.PNG", "a/z.jpg", "a/y.png", ".hidden.png", ".git/x.png", "c.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == ["a/y.png", "a/z.jpg", "b.PNG", "c.tiff"]
    assert list_images(tmp_path / "b.PNG") == [tmp_path / "b.PNG"]


def test_nothing_to_list(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    for source, words in [(tmp_path, "no image in this folder"), (tmp_path / "none", "no such image"),
                          (tmp_path / "notes.txt", "no image")]:  # fmt: skip
        with pytest.raises(InputError, match=words):
            list_images(source)


def test_links_in_a_folder(pixels, tmp_path):
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(outside / "b.png")
    (folder / "up").symlink_to(folder)
    (folder / "other").symlink_to(outside)
    assert list_images(folder) == [folder / "a.png"]
    assert list_images(folder, allow_symlinks=True) == [folder / "a.png", folder / "other" / "b.png"]
    (folder / "c.png").symlink_to(outside / "b.png")
    with pytest.raises(InputError, match=r"c\.png: is a link to outside"):
        list_images(folder)
