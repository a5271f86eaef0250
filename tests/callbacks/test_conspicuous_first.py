"""Labels on the conspicuous: where it is known what a network would have to learn, and on drawn spots."""

import numpy as np
import pytest
import torch
from bright import bright_module, quiet_trainer, spot_data, taught
from scipy.special import expit, logit

from carcinosis_loc.callbacks import ConspicuousFirst, LabelChance
from carcinosis_loc.errors import InputError


def learnt(features, labelled, offset):
    """Weights of a logistic regression."""
    weights = torch.zeros(len(features), dtype=torch.float64, requires_grad=True)
    steps = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        steps.zero_grad()
        logits = sum(w * torch.tensor(f) for w, f in zip(weights, features, strict=True)) + torch.tensor(offset)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(labelled))
        (loss + 1e-5 * weights.square().sum()).backward()
        return loss

    steps.step(closure)
    return weights.detach().numpy()


def test_what_stands_out_is_not_learnt_for_what_is_an_object():
    """Places are nodules or fat, of any contrast; labelled are nodules that stand out. BCE in closed form."""
    rng = np.random.default_rng(0)
    nodule, contrast = rng.random(20_000) < 0.5, rng.normal(0, 1, 20_000)
    chance = 0.05 + 0.85 * expit(4 * (contrast - 1))
    labelled = (nodule & (rng.random(20_000) < chance)).astype(float)
    features = [nodule.astype(float), contrast, np.ones(20_000)]
    assert learnt(features, labelled, 0.0)[1] > 1.5
    assert abs(learnt(features, labelled, logit(chance))[1]) < 0.2


def test_training_batches_carry_it_from_the_first_step_on(spots, tmp_path, capsys):
    seen = []

    class Watch(ConspicuousFirst):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.append(batch)

        def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
            assert batch.offset is None

    taught(spots, tmp_path, Watch())
    assert "conspicuous first: labels on 12 frames looked at" in capsys.readouterr().out
    for batch in seen:
        assert batch.offset.shape == (2, 1, 48, 48)
        for offset, points, known in zip(batch.offset[:, 0], batch.points, batch.labelled, strict=True):
            for x, y in points[known].round().long().clamp(0, 47).tolist():
                assert offset[y, x] > offset.min() + 1  # a labelled spot stands out from its ground


def test_the_loss_sees_the_highest_offset_of_each_cell(spots):
    data, module = spot_data(spots), bright_module()
    data.check("fit")
    batch = next(iter(data.train_dataloader()))
    cells = module.net(batch.image).detach()
    shift = torch.randn(2, 1, *batch.image.shape[-2:])
    batch.offset = shift
    by_cell = torch.nn.functional.max_pool2d(shift, 4, 4)
    shifted = module._loss(cells, batch)
    batch.offset = None
    assert shifted.item() == pytest.approx(module._loss(cells + by_cell, batch).item())


def levels_of(spots, tmp_path, **options):
    known = {}

    class Keep(ConspicuousFirst):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            known.update(trainer.datamodule.taught.offset.levels)
            torch.save(known, tmp_path / f"{trainer.global_rank}.pt")

    taught(spots, tmp_path, Keep(), max_epochs=1, **options)
    return known


def test_a_frame_without_labels_has_the_usual_level(spots, tmp_path):
    levels = levels_of(spots, tmp_path)
    data = spot_data(spots)
    data.check("fit")
    (bare,) = [frame.image_id for frame in data.frames["train"] if not len(frame.points)]
    others = [level for image_id, level in levels.items() if image_id != bare]
    assert levels[bare] == pytest.approx(np.median(others))
    assert min(others) > np.log(5)


def test_two_processes_know_the_same(spots, tmp_path):
    levels_of(spots, tmp_path, devices=2, strategy="ddp_fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first == second
    assert len(first) == 12


@pytest.mark.parametrize("wrong", [{"power": 0.0}, {"power": float("nan")}, {"least": 0.0}, {"least": 0.9}])
def test_arguments_are_checked(wrong):
    with pytest.raises(InputError, match="ConspicuousFirst: 0 < power"):
        ConspicuousFirst(**wrong)


def test_it_is_not_for_labels_at_random_as_well(spots, tmp_path):
    data = spot_data(spots)
    with pytest.raises(InputError, match="drop LabelChance"):
        quiet_trainer(tmp_path, ConspicuousFirst(), LabelChance(), max_epochs=1).fit(bright_module(), data)
