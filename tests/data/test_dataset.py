import numpy as np
import pytest
from dots import centroid, draw_dot, plain
from PIL import Image

from carcinosis_loc.data.dataset import DUMMY, PointDataset
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Frame, Points

BOX = np.float32([[10, 10], [30, 10], [30, 20], [10, 20]])


@pytest.fixture
def frame(tmp_path):
    path = tmp_path / "dot.png"
    xy = (60.3, 41.8)
    Image.fromarray(draw_dot((90, 120), xy, sigma_px=4)).save(path)
    return Frame(3, "dot.png", path, (90, 120), Points(np.float32([xy])), ignore=(BOX,))


def test_native_size_is_the_image_itself(frame):
    sample = PointDataset([frame])[0]
    np.testing.assert_array_equal(sample.image, np.asarray(Image.open(frame.path)))
    np.testing.assert_array_equal(sample.xy, frame.points.xy)
    assert sample.image.dtype == np.uint8
    assert not sample.valid[10:21, 10:31].any()
    assert np.count_nonzero(~sample.valid) == 11 * 21
    assert sample.letterbox is not None
    np.testing.assert_array_equal(sample.letterbox.to_image(sample.xy), frame.points.xy)


@pytest.mark.parametrize(
    ("image_size", "tolerance_px"), [((180, 300), 0.1), ((200, 200), 0.1), ((64, 64), 0.3), ((45, 60), 0.1)]
)
def test_letterbox_takes_points_along(frame, image_size, tolerance_px):
    sample = PointDataset([frame], image_size=image_size)[0]
    assert sample.image.shape == (*image_size, 3)
    Image.fromarray(plain((90, 120))).save(frame.path)
    without = PointDataset([frame], image_size=image_size)[0]
    radius_px = round(3 * 4 * image_size[1] / 120)
    seen = centroid(sample.image, without.image, sample.xy[0], radius_px)
    assert np.abs(seen - sample.xy[0]).max() < tolerance_px
    assert np.abs(sample.letterbox.to_image(sample.xy) - frame.points.xy).max() < 1e-4


def test_letterbox_padding_is_black_and_not_valid(frame):
    sample = PointDataset([frame], image_size=(120, 120))[0]
    for rows in (np.s_[:15], np.s_[105:]):
        assert (sample.image[rows] == 0).all()
        assert not sample.valid[rows].any()
    assert (sample.image[15:105] > 0).all()


def test_training_samples_depend_on_their_seed_alone(frame):
    dataset = PointDataset([frame, frame], TrainTransform(crop_size_px=64))
    first = [dataset[0, seed] for seed in range(5)]
    again = [PointDataset([frame], TrainTransform(crop_size_px=64))[0, seed] for seed in range(5)]
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.image, two.image)
        np.testing.assert_array_equal(one.xy, two.xy)
        np.testing.assert_array_equal(one.valid, two.valid)
    assert len({sample.image.tobytes() for sample in first}) == 5
    assert first[0].view is not None
    assert first[0].frame is frame


def test_decoded_frames_are_kept_up_to_the_limit(frame, tmp_path):
    second = Frame(4, "other.png", tmp_path / "other.png", (90, 120))
    Image.fromarray(plain((90, 120))).save(second.path)
    room_for_one = 90 * 120 * 3 * 1.5 / 1e6
    dataset = PointDataset([frame, second], cache_mb=room_for_one, patience_s=0)
    before = [dataset[0].image.copy(), dataset[1].image.copy()]
    frame.path.unlink()
    second.path.unlink()
    np.testing.assert_array_equal(dataset[0].image, before[0])
    with pytest.raises(InputError, match=r"other\.png: was there when the run began, and is gone"):
        dataset[1]


def test_what_is_kept_is_not_changed_by_training(frame):
    dataset = PointDataset([frame], TrainTransform(crop_size_px=None, noise_probability=1.0))
    for seed in range(5):
        dataset[0, seed]
    dataset.transform = None
    np.testing.assert_array_equal(dataset[0].image, np.asarray(Image.open(frame.path)))


def test_an_image_that_changed_or_broke_is_named(frame):
    content = frame.path.read_bytes()
    Image.fromarray(plain((90, 121))).save(frame.path)
    with pytest.raises(InputError, match=r"dot\.png: image id 3 has 121 x 90 pixels and not 120 x 90"):
        PointDataset([frame])[0]
    frame.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"dot\.png: the image cannot be read"):
        PointDataset([frame])[0]


def test_a_dummy_counts_nowhere(frame):
    sample = PointDataset([frame], image_size=(32, 64))[DUMMY]
    assert sample.dummy
    assert sample.image.shape == (32, 64, 3)
    assert not sample.image.any()
    assert not sample.valid.any()
    assert len(sample.xy) == len(sample.frame.points) == 0
    assert sample.frame.image_id == -1
