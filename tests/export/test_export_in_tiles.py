"""Exported files on images too large for one pass: in tiles, with the points that the checkpoint finds in tiles."""

import csv
import json

import cv2
import numpy as np
import onnx
import pytest
import torch
from spots import draw

import carcinosis_loc
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.export import ExportedModel
from carcinosis_loc.heatmap import PeakDecoder, cells_of

SIZE = (150, 203)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """An image whose spots lie on the seams of tiles too."""
    random = np.random.default_rng(0)
    points = [(x, y) for x in (20, 63.5, 64, 96, 130, 190) for y in (12, 31.5, 64, 100, 140)]
    path = tmp_path_factory.mktemp("large") / "large.png"
    cv2.imwrite(str(path), draw(points, SIZE, random)[..., ::-1])
    return path


def points_of(model, source, root, *more):
    words = ["predict", "--ckpt_path", str(model), "--data.predict_source", str(source), "--data.num_workers", "0"]
    quiet = ["--trainer.accelerator", "cpu", "--predictions.overlays", "false", "--predictions.key_frames", "false"]
    options = ["--trainer.default_root_dir", str(root), "--model.decoder.threshold", "0.02", *more]
    assert main([*words, *quiet, *options]) == 0
    with (root / "predictions" / "points.csv").open(newline="") as file:
        return np.array([[float(row[name]) for name in ("x", "y", "score")] for row in csv.DictReader(file)])


def edited(path, target, edit):
    """The file with something else in what it says of itself."""
    model = onnx.load(path)
    entry = next(entry for entry in model.metadata_props if entry.key == "carcloc")
    content = json.loads(entry.value)
    edit(content)
    entry.value = json.dumps(content)
    target.write_bytes(model.SerializeToString())
    return target


@pytest.fixture
def windows(monkeypatch):
    """Sizes of all that the runtime is given."""
    seen, whole = [], ExportedModel.__init__

    def start(model, *arguments, **options):
        whole(model, *arguments, **options)
        run = model._run
        model._run = lambda image, valid: (seen.append(image.shape), run(image, valid))[1]

    monkeypatch.setattr(ExportedModel, "__init__", start)
    return seen


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_predict_in_tiles_gives_the_checkpoints_points(fitted, exported, large, windows, tmp_path, runtime):
    tiles = ["--inference.tile_px", "96", "--inference.margin_px", "32"]
    wanted = points_of(fitted, large, tmp_path / "a", *tiles)
    found = points_of(exported, large, tmp_path / "b", *tiles, "--model.runtime", runtime)
    assert len(found) == len(wanted) > 20
    distance = np.hypot(*(found[:, None, :2] - wanted[None, :, :2]).transpose(2, 0, 1))
    assert distance.min(1).max() < 0.1
    assert distance.min(0).max() < 0.1
    np.testing.assert_allclose(found[distance.argmin(0), 2], wanted[:, 2], atol=1e-4)
    assert {shape[0] for shape in windows} == {1}
    assert max(max(shape[2:]) for shape in windows) <= 96
    assert len(windows) == 5 * 7  # cores of 32 px


def test_tiles_are_not_the_whole_image(fitted, exported, large, windows, tmp_path):
    """Without a margin the scores differ; else the test above would show nothing."""
    options = ["--inference.margin_px", "0", "--inference.tile_px"]
    tiled, whole = (points_of(exported, large, tmp_path / px, *options, px) for px in ("64", "null"))
    assert windows[-1] == (1, 3, *SIZE)
    assert len(tiled) != len(whole) or np.abs(tiled[:, 2] - whole[:, 2]).max() > 1e-4


def test_python_takes_large_images_in_tiles_as_the_checkpoint_does(fitted, exported, windows):
    image = np.random.default_rng(0).integers(0, 256, (40, 2100, 3), np.uint8)
    wanted, found = (carcinosis_loc.load(path)(image, threshold=0.0) for path in (fitted, exported))
    assert len(wanted) == len(found) > 0
    assert np.abs(wanted.xy - found.xy).max() < 0.1
    assert [shape[2:] for shape in windows] == [(40, 1312), (40, 1300)]


def test_a_batch_under_masks_in_tiles_is_decoded_as_a_whole(exported):
    """The peaks are those of the map, wherever it was cut; none lies on padding."""
    model, random = ExportedModel(exported), np.random.default_rng(1)
    model.cut_above(96, 32)
    images, valid = random.integers(0, 256, (2, 3, 101, 130), np.uint8), np.ones((2, 1, 101, 130), np.bool_)
    valid[1, :, :60] = False
    found = model(images, valid)
    decoder = PeakDecoder(top_k=500)
    wanted = decoder(torch.from_numpy(found.logits), 4, cells_of(torch.from_numpy(valid), 4))
    for one, other in zip(found.peaks, wanted, strict=True):
        assert np.array_equal(one.xy, other.xy)
        assert len(one) > 10
    assert found.peaks[1].xy[:, 1].min() >= 59.5


def test_an_older_file_sees_large_images_as_a_whole_and_says_so_once(exported, large, windows, tmp_path, capsys):
    older = edited(exported, tmp_path / "older.onnx", lambda content: content.pop("multiple"))
    two = tmp_path / "images"
    two.mkdir()
    for name in "ab":
        (two / f"{name}.png").write_bytes(large.read_bytes())
    tiles = ["--inference.tile_px", "96", "--inference.margin_px", "32", "--data.batch_size", "1"]
    points = points_of(older, two, tmp_path / "a", *tiles)
    out = capsys.readouterr().out
    assert out.count("older.onnx: was exported by an earlier version") == 1
    assert "export it anew" in out
    assert [shape[2:] for shape in windows] == [SIZE, SIZE]
    assert np.array_equal(points, points_of(exported, two, tmp_path / "b", "--inference.tile_px", "null"))


def test_a_tile_without_a_core_is_one_line(exported, large, tmp_path, capsys):
    words = ["predict", "--ckpt_path", str(exported), "--data.predict_source", str(large), "--data.num_workers", "0"]
    assert main([*words, "--trainer.default_root_dir", str(tmp_path), "--inference.tile_px", "500"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "--inference" in line
    assert "enlarge tile_px" in line
    assert not (tmp_path / "predictions").exists()


@pytest.mark.parametrize("tile_px", [96, None])
@pytest.mark.parametrize("stride", [2, 8])
def test_a_stride_that_is_not_the_graphs_is_refused(exported, tmp_path, stride, tile_px):
    """Else tiles would be put together at wrong places, without a word."""
    model = ExportedModel(edited(exported, tmp_path / "other.onnx", lambda content: content.update(stride=stride)))
    model.cut_above(tile_px, 32)
    image = np.zeros((1, 3, 101, 130), np.uint8)
    with pytest.raises(InputError, match=f"other.onnx: gives a map of .* stride of {stride}"):
        model(image, np.ones((1, 1, 101, 130), np.bool_))


def test_an_exported_file_looks_once(exported, large, tmp_path, capsys):
    words = ["predict", "--ckpt_path", str(exported), "--data.predict_source", str(large), "--data.num_workers", "0"]
    for more in (["--inference.views", "2"], ["--inference.scales", "[1,2]"]):
        assert main([*words, "--trainer.default_root_dir", str(tmp_path), *more]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "looks at an image once, as it is" in line
    assert not (tmp_path / "predictions").exists()
    for other in ({"views": 2}, {"scales": [1.0, 2.0]}):
        with pytest.raises(InputError, match="look at an image once, as it is"):
            carcinosis_loc.load(exported, **other)
    for none in ({"views": 3}, {"scales": [9.0]}, {"scales": ["x"]}, {"scales": 2}):
        with pytest.raises(InputError):
            carcinosis_loc.load(exported, **none)
