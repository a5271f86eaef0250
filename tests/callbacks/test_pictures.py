from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from bright import bright_module, quiet_trainer, spot_data
from lightning.pytorch.loggers import WandbLogger
from torch.utils.data import DataLoader

from carcinosis_loc.callbacks import pictures
from carcinosis_loc.callbacks.pictures import Pictures
from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.dataset import PointDataset
from carcinosis_loc.data.sampling import EvaluationBatches
from carcinosis_loc.metrics import per_image
from carcinosis_loc.points import Peaks, Points


def files_in(root):
    return {path.name for path in (root / "pictures").iterdir()}


@pytest.fixture
def drawn(monkeypatch):
    """What ``panel`` was asked to draw: a list of its arguments."""
    calls = []
    real = pictures.panel
    monkeypatch.setattr(pictures, "panel", lambda *given: calls.append(given) or real(*given))
    return calls


def counts(marks):
    return {one.kind.name: len(one.xy) for one in marks}


def test_exhaustive_frames_are_judged_as_the_metrics_judge_them(spots, tmp_path, drawn):
    module, data = bright_module(threshold=0.3), spot_data(spots)
    quiet_trainer(tmp_path, Pictures(n_frames=6)).test(module, data, verbose=False)
    names = {f"test_test_{n}.png" for n in range(6)}
    assert files_in(tmp_path) == {*names, "test_curve.png"}
    for name in names:
        assert min(cv2.imread(str(tmp_path / "pictures" / name)).shape[:2]) > 480
    found = 0
    for frame, (_, known, heatmap, marks, threshold, title, _) in zip(data.frames["test"], drawn, strict=True):
        assert f"image {frame.image_id} " in title
        assert threshold == 0.3
        assert counts(known) == {"true": len(frame.points)}
        (peaks,) = module.decoder(module.net(as_tensor(frame)), module.net.stride)
        found_here = Peaks(heatmap.letterbox.to_image(peaks.xy), peaks.scores)
        row = per_image(found_here, frame, module.match_radius_px, threshold)
        assert counts(marks) == {"true": row.tp, "found": row.tp, "false": row.fp, "missed": row.fn}
        found += row.tp
    assert found > 10


def as_tensor(frame):
    pixels = cv2.imread(str(frame.path))[..., ::-1].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def test_no_peak_of_a_sparse_frame_is_judged(spots, tmp_path, drawn):
    quiet_trainer(tmp_path, Pictures()).validate(bright_module(threshold=0.3), spot_data(spots), verbose=False)
    assert len(drawn) == 4
    for _, known, _, marks, _, title, _ in drawn:
        assert set(counts(known)) == {"labelled"}
        assert set(counts(marks)) == {"labelled", "peaks"}
        assert "no peak is judged" in title
    assert sum(counts(marks)["peaks"] for _, _, _, marks, *_ in drawn) > 0
    assert not any(name.endswith("curve.png") for name in files_in(tmp_path))


def test_peaks_in_ignore_regions_are_passed_over(spots, tmp_path, drawn):
    module, data = bright_module(threshold=0.3), spot_data(spots)
    data.check("test")
    everything = np.array([[-1, -1], [100, -1], [100, 100], [-1, 100]], np.float32)
    frames = data.frames["test"]
    data.frames["test"] = [replace(frame, ignore=(everything,), points=Points.none()) for frame in frames]
    quiet_trainer(tmp_path, Pictures()).test(module, data, verbose=False)
    total = {name: sum(counts(marks).get(name, 0) for _, _, _, marks, *_ in drawn) for name in ("false", "ignored")}
    assert total["false"] == 0
    assert total["ignored"] > 0
    assert all(len(outlines) == 1 for *_, outlines in drawn)


@pytest.mark.parametrize(("every", "max_epochs", "expected"), [(1, 2, [0, 1]), (2, 5, [1, 3, 4])])
def test_pictures_come_every_n_epochs_and_after_the_last_from_the_same_frames(
    spots, tmp_path, drawn, every, max_epochs, expected
):
    """The batches that Lightning tries before the first epoch give none."""
    epochs = []

    class Watched(Pictures):
        def _draw(self, stage, trainer, module):
            epochs.append(trainer.current_epoch)
            super()._draw(stage, trainer, module)

    data = spot_data(spots)
    trainer = quiet_trainer(
        tmp_path, Watched(n_frames=2, every_n_epochs=every), max_epochs=max_epochs, num_sanity_val_steps=1
    )
    trainer.fit(bright_module(), data)
    assert epochs == expected
    titles = [title for *_, title, _ in drawn]
    assert titles == titles[:2] * len(expected)
    assert files_in(tmp_path) == {"val_val_0.png", "val_val_4.png"}


def test_at_most_n_frames_are_kept_and_none_for_ever(spots, tmp_path, monkeypatch):
    callback, most = Pictures(n_frames=3), []
    real = Pictures._keep

    def keep(self, *given):
        real(self, *given)
        most.append(len(self._kept))

    monkeypatch.setattr(Pictures, "_keep", keep)
    quiet_trainer(tmp_path, callback).test(bright_module(), spot_data(spots), verbose=False)
    assert max(most) == 3
    assert callback._kept == {}


def test_pictures_of_another_set_do_not_stay_beside_the_new_ones(spots, tmp_path):
    """Tests of two sets into one folder: what lies there is of the later one."""
    module, tests = bright_module(threshold=0.3), spot_data(spots)
    quiet_trainer(tmp_path, Pictures(n_frames=6)).test(module, tests, verbose=False)
    (tmp_path / "pictures" / "val_of_the_training.png").touch()
    sparse = spot_data(spots, test_json=str(spots / "train.json"), exhaustive_splits=())
    quiet_trainer(tmp_path, Pictures(n_frames=2)).test(module, sparse, verbose=False)
    assert files_in(tmp_path) == {"test_train_0.png", "test_train_11.png", "val_of_the_training.png"}


def test_no_frames_if_none_are_asked_for(spots, tmp_path):
    quiet_trainer(tmp_path, Pictures(n_frames=0)).test(bright_module(), spot_data(spots), verbose=False)
    assert files_in(tmp_path) == {"test_curve.png"}


@pytest.mark.parametrize("wrong", [{"n_frames": -1}, {"every_n_epochs": 0}])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="n_frames must be"):
        Pictures(**wrong)


def loader_of(spots, rank=0, world_size=1, batch_size=2):
    data = spot_data(spots)
    data.check("test")
    dataset = PointDataset(data.frames["test"])
    sizes = [dataset.network_size(index) for index in range(len(dataset))]
    return DataLoader(dataset, batch_sampler=EvaluationBatches(sizes, batch_size, rank, world_size), collate_fn=collate)


@pytest.mark.parametrize(
    ("n_frames", "ids"), [(1, [1]), (2, [1, 6]), (3, [1, 3, 6]), (6, [1, 2, 3, 4, 5, 6]), (9, [1, 2, 3, 4, 5, 6])]
)
def test_frames_are_spread_evenly(spots, n_frames, ids):
    assert pictures._spread(loader_of(spots), float("inf"), n_frames) == ids


def test_only_frames_that_this_process_sees_are_chosen(spots):
    assert pictures._spread(loader_of(spots), 1, 9) == [1, 3]
    assert len(pictures._spread(loader_of(spots, 0, 2), 9, 9)) == 3
    assert pictures._spread(loader_of(spots, 7, 8), 9, 9) == []
    assert pictures._spread([], 0, 4) == []


class Dashboard(WandbLogger):
    """Stands in for W&B: keeps what it is given."""

    def __init__(self):
        self.images, self.metrics = {}, {}

    name, version, save_dir, log_dir = "name", "version", None, None

    def log_hyperparams(self, *given, **named):
        pass

    def log_image(self, key, images, step=None):
        self.images[key] = images

    def log_metrics(self, metrics, step=None):
        self.metrics |= metrics

    def after_save_checkpoint(self, callback):
        pass

    def save(self):
        pass

    def finalize(self, status):
        pass


def test_a_dashboard_gets_the_same_pictures_and_the_curve(spots, tmp_path):
    dashboard = Dashboard()
    trainer = quiet_trainer(tmp_path, Pictures(n_frames=2), logger=dashboard)
    trainer.test(bright_module(threshold=0.3), spot_data(spots), verbose=False)
    assert list(dashboard.images) == ["test/pictures/image_1", "test/pictures/image_6"]
    for name, (image,) in zip(("test_0", "test_5"), dashboard.images.values(), strict=True):
        file = tmp_path / "pictures" / f"test_{name}.png"
        assert (cv2.imread(str(file))[..., ::-1] == image).all()
    table = dashboard.metrics["test/curve"].table
    assert table.columns == ["recall", "precision", "threshold", "f1"]
    assert table.data == sorted(table.data, key=lambda row: -row[2])
    assert len(table.data) > 3
