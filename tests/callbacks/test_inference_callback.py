"""The inference callback: it is the same network before and after, and predict finds the same points with it."""

import csv
import json

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from scipy.spatial import cKDTree
from torch import nn
from torch.utils.data import DataLoader

import carcinosis_loc
from carcinosis_loc.callbacks import Inference
from carcinosis_loc.cli import main
from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.dataset import Sample
from carcinosis_loc.errors import InputError
from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder
from carcinosis_loc.losses import HeatmapMSE
from carcinosis_loc.models import HeatmapNet, ManyScales, ManyViews, TiledNet
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Letterbox


def predicted(fitted, spots, root, *more):
    words = ["predict", "--ckpt_path", str(fitted), "--data.predict_source", str(spots / "images"), *more]
    quiet = ["--trainer.accelerator", "cpu", "--data.num_workers", "0", "--predictions.overlays", "false"]
    assert main([*words, *quiet, "--trainer.default_root_dir", str(root), "--model.decoder.threshold", "0.02"]) == 0
    points = {}
    with (root / "predictions" / "points.csv").open() as file:
        for row in csv.DictReader(file):
            points.setdefault(row["file_name"], []).append((float(row["x"]), float(row["y"]), float(row["score"])))
    return points


@pytest.fixture(scope="module")
def plain(fitted, spots, tmp_path_factory):
    """What the network finds as it was trained."""
    off = ["--inference.fold", "false", "--inference.tile_px", "null"]
    return predicted(fitted, spots, tmp_path_factory.mktemp("plain"), *off)


def assert_same(points, expected, xy_px, score):
    assert points.keys() == expected.keys()
    assert sum(map(len, expected.values())) > 100
    for name, rows in expected.items():
        assert len(points[name]) == len(rows)
        found, wanted = np.array(points[name]), np.array(rows)
        distance, index = cKDTree(found[:, :2]).query(wanted[:, :2])
        assert distance.max() <= xy_px
        np.testing.assert_allclose(found[index, 2], wanted[:, 2], atol=score)


def test_predict_finds_what_the_plain_network_finds(fitted, spots, plain, tmp_path):
    assert_same(predicted(fitted, spots, tmp_path), plain, 0.01, 1e-5)


def test_bfloat16_finds_nearly_the_same(fitted, spots, plain, tmp_path):
    """The strong peaks of both; near the threshold one or the other may lack some."""
    rounded = predicted(fitted, spots, tmp_path, "--trainer.precision", "bf16-mixed")
    distances = []
    for name, rows in plain.items():
        strong = np.array(rows)[:, :2][np.array(rows)[:, 2] > 0.05]
        if len(strong):
            distances.extend(cKDTree(np.array(rounded[name])[:, :2]).query(strong)[0])
    assert len(distances) > 20
    assert np.mean(np.array(distances) < 1) > 0.9
    assert np.median(distances) < 0.2


class Net(nn.Module):
    stride, multiple, out_channels = 4, 4, 3

    def __init__(self):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 4, 4), nn.BatchNorm2d(3)

    def forward(self, image):
        return self.norm(self.convolution(image))


def test_load_folds_too(fitted):
    assert not any(isinstance(module, nn.BatchNorm2d) for module in carcinosis_loc.load(fitted).net.modules())


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
@pytest.mark.parametrize("broken", [False, True])
def test_the_module_keeps_its_network(stage, broken, tmp_path):
    net, seen = HeatmapNet(Net()), []

    class Watching(Inference):
        def on_validation_batch_end(self, trainer, module, *_):
            seen.append(module.net)
            if broken:
                raise KeyError("stop")

        on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    optimizer = lambda parameters: torch.optim.SGD(parameters, lr=0.1)  # noqa: E731
    module = PointModule(net, HeatmapMSE(), PeakDecoder(), GaussianEncoder(), optimizer)
    frame = Frame(1, "1.png", None, (16, 16), exhaustive=True)
    sample = Sample(
        np.zeros((16, 16, 3), np.uint8), np.ones((16, 16), bool), frame.points.xy, frame, Letterbox.fit((16, 16), None)
    )
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(accelerator="cpu", callbacks=[Watching()], default_root_dir=tmp_path, **quiet)
    try:
        batches = DataLoader([collate([sample])], batch_size=None)
        if stage == "predict":
            trainer.predict(module, batches, return_predictions=False)
        else:
            getattr(trainer, stage)(module, batches)
    except KeyError:
        assert broken
    assert [type(one) for one in seen] == [TiledNet]
    assert module.net is net


def test_a_tile_without_a_core_is_one_line(fitted, spots, tmp_path, capsys):
    words = ["predict", "--ckpt_path", str(fitted), "--data.predict_source", str(spots / "images")]
    more = ["--trainer.accelerator", "cpu", "--data.num_workers", "0", "--trainer.default_root_dir", str(tmp_path)]
    assert main([*words, *more, "--inference.tile_px", "500"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "inference" in line
    assert "enlarge tile_px" in line
    assert not (tmp_path / "predictions").exists()


def test_large_images_in_tiles(fitted, spots, plain, tmp_path):
    """Frames of 64 x 80 px seen in windows of 64: the points of the whole ones, near enough without a margin."""
    points = predicted(fitted, spots, tmp_path, "--inference.tile_px", "64", "--inference.margin_px", "0")
    assert points.keys() == plain.keys()
    small = json.loads((tmp_path / "predictions" / "images.json").read_text())["images"]
    same = [image["file_name"] for image in small if (image["height"], image["width"]) == (64, 64)]
    assert same
    assert all(len(points[name]) == len(plain[name]) for name in same if name in plain)


@pytest.mark.parametrize(
    ("words", "options", "kind"),
    [
        (["--inference.views", "8"], {"views": 8}, ManyViews),
        (["--inference.scales", "[1, 1.5]"], {"scales": [1.0, 1.5]}, ManyScales),
        (["--inference.views", "2", "--inference.scales", "[2.0]"], {"views": 2, "scales": (2.0,)}, ManyViews),
    ],
)
def test_predict_looks_as_python_does(words, options, kind, fitted, spots, plain, tmp_path):
    points = predicted(fitted, spots, tmp_path, *words)
    find = carcinosis_loc.load(fitted, **options)
    assert isinstance(find.net, kind)
    for name in list(points)[:4]:
        peaks = find(spots / "images" / name, threshold=0.02)
        np.testing.assert_allclose(np.sort(peaks.scores), np.sort([row[2] for row in points[name]]), atol=1e-5)
    assert any(points[name] != plain.get(name) for name in points)


@pytest.mark.parametrize(
    ("scales", "why"),
    [("[]", "numbers such as"), ("[0]", "between 0.25 and 4"), ("[9]", "between"), ("[.nan]", "between"), ("x", "")],
)
def test_scales_that_there_are_not_are_one_line(scales, why, fitted, spots, tmp_path, capsys):
    words = ["predict", "--ckpt_path", str(fitted), "--data.predict_source", str(spots / "images")]
    more = ["--trainer.accelerator", "cpu", "--data.num_workers", "0", "--trainer.default_root_dir", str(tmp_path)]
    assert main([*words, *more, "--inference.scales", scales]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "scales" in line
    assert why in line
    assert not (tmp_path / "predictions").exists()


@pytest.mark.parametrize("views", ["3", "0", "-1"])
def test_a_number_of_views_that_there_is_not_is_one_line(views, fitted, spots, tmp_path, capsys):
    words = ["predict", "--ckpt_path", str(fitted), "--data.predict_source", str(spots / "images")]
    more = ["--trainer.accelerator", "cpu", "--data.num_workers", "0", "--trainer.default_root_dir", str(tmp_path)]
    assert main([*words, *more, "--inference.views", views]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "views must be 1, 2, 4 or 8" in line
    with pytest.raises(InputError, match="1, 2, 4 or 8"):
        carcinosis_loc.load(fitted, views=int(views))
