"""The module: what is counted where, which threshold counts, how it steps. A stub network keeps it quick."""

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import nn
from torch.utils.data import DataLoader

from carcinosis_loc.data.collate import collate
from carcinosis_loc.data.dataset import Sample
from carcinosis_loc.heatmap import GaussianEncoder, PeakDecoder
from carcinosis_loc.losses import CragAndTail, HeatmapMSE
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.models import HeatmapNet
from carcinosis_loc.module import PointModule
from carcinosis_loc.points import Frame, Letterbox, Points
from carcinosis_loc.schedules import OneCycle


class Brightness(nn.Module):
    """A backbone whose feature is the mean of each 4x4 cell."""

    stride, multiple, out_channels = 4, 4, 1

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, image):
        return self.gain * nn.functional.avg_pool2d(image.mean(1, keepdim=True), 4)


def module(**changes):
    net = HeatmapNet(Brightness(), mean=(0, 0, 0), std=(1, 1, 1))
    nn.init.constant_(net.head.weight, 0.1)
    nn.init.constant_(net.head.bias, -6.0)
    given = {
        "net": net,
        "loss": HeatmapMSE(),
        "decoder": PeakDecoder(threshold=0.5, score_floor=0.01),
        "encoder": GaussianEncoder(4.0),
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    }
    return PointModule(**(given | changes))


def sample(points, labelled=None, exhaustive=True, size=(32, 48), dummy=False, image_id=1):
    """A black image with a bright cell at each of ``points``."""
    image = np.zeros((*size, 3), np.uint8)
    for x, y in points:
        row, column = int((y + 0.5) // 4) * 4, int((x + 0.5) // 4) * 4
        image[row : row + 4, column : column + 4] = 100
    xy = np.array(points if labelled is None else labelled, np.float32).reshape(-1, 2)
    frame = Frame(image_id, f"{image_id}.png", None, size, Points(xy), exhaustive=exhaustive)
    return Sample(image, np.full(size, not dummy), xy, frame, Letterbox.fit(size, None), dummy=dummy)


def trainer(tmp_path, **options):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return Trainer(accelerator="cpu", logger=False, default_root_dir=tmp_path, **quiet, **options)


def loader(*samples, batch_size=2):
    return DataLoader(list(samples), batch_size=batch_size, collate_fn=collate)


FOUR = [(9.5, 9.5), (25.5, 9.5), (9.5, 25.5), (41.5, 21.5)]


def test_exhaustive_and_sparse_frames_are_counted_apart(tmp_path):
    frames = loader(sample(FOUR), sample(FOUR, labelled=FOUR[:2], exhaustive=False), sample([]))
    model = module()
    trainer(tmp_path).validate(model, frames, verbose=False)
    results = model.results
    assert (results["n_images"], results["n_points"]) == (2, 4)
    assert results["f1"] == results["best_f1"] == results["average_precision"] == 1.0
    assert results["localisation_error_px"] == pytest.approx(0, abs=1e-3)
    assert (results["sparse_n_images"], results["sparse_n_labelled"]) == (1, 2)
    assert results["recall_on_labelled"] == 1
    assert results["predicted_per_frame"] == 4
    assert results["peaks_per_frame"] == pytest.approx(8 / 3)
    assert results["max_probability"] == pytest.approx(torch.sigmoid(torch.tensor(4.0)).item())


def test_over_sparse_frames_no_f1_is_given(tmp_path):
    model = module()
    trainer(tmp_path).validate(model, loader(sample(FOUR, FOUR[:1], exhaustive=False)), verbose=False)
    assert not {"f1", "precision", "best_f1", "average_precision"} & set(model.results)
    assert model.results["selection"] == model.results["lee_liu"]


def test_exhaustive_frames_without_a_point_say_nothing_of_which_epoch_is_best(tmp_path):
    model = module()
    frames = loader(sample([]), sample(FOUR, FOUR[:1], exhaustive=False))
    trainer(tmp_path).validate(model, frames, verbose=False)
    assert model.results["selection"] == model.results["lee_liu"] > 0


def test_the_fewer_objects_the_less_an_f1_says_of_which_epoch_is_best(tmp_path):
    errors = []
    for n_frames in (1, 25):
        model = module()
        trainer(tmp_path).validate(model, loader(*[sample(FOUR) for _ in range(n_frames)]), verbose=False)
        assert model.results["selection"] == model.results["best_f1"] == 1.0
        errors.append(model.results["selection_error"])
    assert errors == pytest.approx([(5 / 6 * 1 / 6 / 6) ** 0.5, (101 / 102 * 1 / 102 / 102) ** 0.5])


def test_a_dummy_batch_counts_nowhere(tmp_path):
    model = module()
    trainer(tmp_path).test(model, loader(sample(FOUR), sample(FOUR, dummy=True), batch_size=1), verbose=False)
    assert model.results["n_images"] == 1
    assert model.results["f1"] == 1


def test_all_zero_maps_are_seen_in_the_log(tmp_path):
    model = module()
    nn.init.constant_(model.net.head.weight, 0.0)
    trainer(tmp_path).validate(model, loader(sample(FOUR)), verbose=False)
    assert model.results["peaks_per_frame"] == 0
    assert model.results["max_probability"] == pytest.approx(torch.sigmoid(torch.tensor(-6.0)).item())


def test_which_threshold_counts():
    model = module(decoder=PeakDecoder(threshold=None))
    assert model.threshold == 0.5
    model.calibration = Calibration(0.2, "labels", 3, 9, ScoreScale(1.0, 0.0))
    assert model.threshold == 0.2
    model.decoder.threshold = 0.0
    assert model.threshold == 0.0


def test_the_calibrated_threshold_goes_through_a_checkpoint(tmp_path):
    model = module(decoder=PeakDecoder(threshold=None))
    model.calibration, model.recipe = Calibration(0.125, "exhaustive", 3, 9, ScoreScale(1.5, 0.25)), {"model": {}}
    content = {}
    model.on_save_checkpoint(content)
    torch.save(content, tmp_path / "c.ckpt")
    other = module(decoder=PeakDecoder(threshold=None))
    other.on_load_checkpoint(torch.load(tmp_path / "c.ckpt", weights_only=True))
    assert other.threshold == 0.125
    assert other.calibration == model.calibration


def test_a_schedule_over_the_run_is_stepped_per_batch(tmp_path):
    rates = []

    class Rates(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    frames = loader(*[sample(FOUR, image_id=i) for i in range(10)])
    trainer(tmp_path, max_epochs=2, callbacks=[Rates()]).fit(module(scheduler=OneCycle), frames)
    assert len(rates) == 10
    assert max(rates) == pytest.approx(0.1, rel=0.02)
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[-1] < rates[0]
    assert rates.index(max(rates)) in (2, 3)


@pytest.mark.parametrize(
    "scheduler", [torch.optim.lr_scheduler.CosineAnnealingLR, torch.optim.lr_scheduler.PolynomialLR]
)
def test_torchs_schedules_that_take_a_length_fit_too(tmp_path, scheduler):
    frames = loader(*[sample(FOUR, image_id=i) for i in range(4)])
    trainer(tmp_path, max_epochs=1).fit(module(scheduler=scheduler), frames)


@pytest.mark.parametrize("loss", [HeatmapMSE(), CragAndTail()])
def test_a_batch_without_points_trains(tmp_path, loss):
    model = module(loss=loss)
    before = model.net.backbone.gain.item()
    trainer(tmp_path, max_epochs=1).fit(model, loader(sample([(9.5, 9.5)], labelled=[], exhaustive=False)))
    assert model.net.backbone.gain.item() != before
    assert np.isfinite(model.net.backbone.gain.item())


def test_padding_gives_no_peak_and_an_ignore_region_does(tmp_path):
    one = sample(FOUR)
    box = Letterbox((32, 32), (32, 32), (32, 48))  # the right third of the canvas is padding
    padded = Sample(one.image, one.valid.copy(), one.xy, one.frame, box)
    padded.valid[:16] = False  # an ignore region: no loss, but peaks
    model = module().eval()
    with torch.no_grad():
        (peaks,) = model.detect(collate([padded])).peaks
    found = {tuple(np.round(xy).astype(int)) for xy in peaks.above(0.5).xy}
    assert len(found) == 3


def test_peaks_are_mapped_back_to_image_pixels():
    one = sample(FOUR)
    box = Letterbox((64, 96), (32, 48), (32, 48))
    model = module().eval()
    with torch.no_grad():
        (peaks,) = model.detect(collate([Sample(one.image, one.valid, one.xy, one.frame, box)])).peaks
    found = peaks.above(0.5).xy
    assert np.allclose(sorted(found.tolist()), sorted([[2 * x + 0.5, 2 * y + 0.5] for x, y in FOUR]), atol=0.01)
