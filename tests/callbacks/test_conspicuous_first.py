"""Labels on the conspicuous: where it is known what a network would have to learn, and on drawn spots."""

import json

import cv2
import numpy as np
import pytest
import torch
from bright import bright_module, quiet_trainer, spot_data, taught
from scipy.special import expit, logit
from spots import coco, draw

from carcinosis_loc.callbacks import ConspicuousFirst, LabelChance, Teacher, conspicuous_first
from carcinosis_loc.callbacks.conspicuous_first import label_slope
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


def test_the_slope_is_that_of_the_odds():
    """What is labelled with a chance that rises with the power 3, and what is labelled whatever it looks like."""
    rng = np.random.default_rng(0)
    contrast, draw = rng.normal(0, 0.7, 4000), rng.random(4000)
    for power in (3.0, 0.0):
        labelled = draw < expit(power * (contrast - 0.5))
        assert label_slope(contrast[labelled], contrast[~labelled]) == pytest.approx(power, abs=0.3)
    assert 5 < label_slope(np.array([2.0, 3.0]), np.array([0.0, 1.0])) < 100  # parted without a fault


def unequal_frames(folder, faint):
    """Frames of six spots, two of them labelled, the others of this share of their brightness; five whole frames."""
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    images, points = [], []
    for number in range(17):
        grid = [(x, y) for x in range(8, 60, 16) for y in range(8, 60, 16)]
        chosen = [grid[place] for place in random.choice(len(grid), 6, replace=False)]
        ground = draw([], (64, 64), random).astype(float)
        shares = [*random.uniform(0.95, 1.05, 2), *random.uniform(faint - 0.05, faint + 0.05, 4)]
        for share, one in zip(shares, chosen, strict=True):
            ground += share * (draw([one], (64, 64), random).astype(float) - draw([], (64, 64), random))
        images.append((f"{number}.png", 64, 64))
        cv2.imwrite(str(folder / "images" / images[-1][0]), np.clip(ground, 0, 255).astype(np.uint8)[..., ::-1])
        points.append(chosen)
    (folder / "train.json").write_text(json.dumps(coco(images[:12], [known[:2] for known in points[:12]])))
    (folder / "test.json").write_text(json.dumps(coco(images[12:], points[12:], exhaustive=True)))
    (folder / "val.json").write_text((folder / "test.json").read_text())
    return folder


@pytest.mark.parametrize("faint", [0.6, 1.0])
def test_training_batches_carry_it_if_contrast_tells_who_was_labelled(faint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(conspicuous_first, "_FEWEST", 10)
    monkeypatch.setattr(conspicuous_first, "_FEWEST_LABELS", 10)
    seen = []

    class Watch(ConspicuousFirst):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.append(batch)

        def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
            assert batch.offset is None

    (tmp_path / "frames").mkdir()
    callback = taught(unequal_frames(tmp_path / "frames", faint), tmp_path, Watch())
    said = capsys.readouterr().out
    assert "conspicuous first: labels on 12 frames looked at" in said
    assert "24 labels and 48 objects beside them differ in contrast by the power" in said
    if faint == 1.0:
        assert callback.estimated < 2
        seen = seen[:1]  # nothing is known yet
    else:
        assert callback.estimated == callback.power
    for batch in seen:
        assert batch.offset.shape == (2, 1, 48, 48)
        for offset, points, known in zip(batch.offset[:, 0], batch.points, batch.labelled, strict=True):
            for x, y in points[known].round().long().clamp(0, 47).tolist():
                assert offset[y, x] > offset.min() + 1  # a labelled spot stands out from its ground


def test_it_waits_until_enough_is_found(spots, tmp_path, monkeypatch, capsys):
    assert taught(spots, tmp_path / "a", ConspicuousFirst()).estimated == 4.0
    said = "22 labels and 45 objects beside them tell nothing yet; the power stays 4.0"
    assert capsys.readouterr().out.count(said) == 1  # though there were four validations
    for few in ("_FEWEST", "_FEWEST_LABELS"):
        monkeypatch.setattr(conspicuous_first, few, 10)
    assert taught(spots, tmp_path / "b", ConspicuousFirst()).estimated < 4.0
    monkeypatch.setattr(conspicuous_first, "_MOST_A_LABEL", 1)  # more than one for a label is too much to be true
    assert taught(spots, tmp_path / "c", ConspicuousFirst()).estimated == 4.0
    monkeypatch.setattr(conspicuous_first, "calibrate", lambda *_, **__: None)
    assert taught(spots, tmp_path / "d", ConspicuousFirst()).estimated == 4.0
    assert "no threshold is supported yet" in capsys.readouterr().out


@pytest.mark.parametrize(("slope", "taken"), [(9.0, 4.0), (1.0, 2.0), (0.2, 0.0), (-3.0, 0.0)])
def test_what_is_taken_of_a_slope(slope, taken, spots, tmp_path, monkeypatch):
    for few in ("_FEWEST", "_FEWEST_LABELS"):
        monkeypatch.setattr(conspicuous_first, few, 10)
    monkeypatch.setattr(conspicuous_first, "label_slope", lambda labels, found: slope)
    offsets = []

    class Watch(ConspicuousFirst):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            offsets.append(batch.offset)

    assert taught(spots, tmp_path, Watch()).estimated == taken
    assert (offsets[-1] is None) == (taken == 0)


@pytest.mark.parametrize("callback", [ConspicuousFirst, LabelChance, Teacher])
def test_a_validation_that_is_no_part_of_a_training_teaches_nothing(callback, spots, tmp_path):
    data = spot_data(spots, val_json=str(spots / "test.json"))
    quiet_trainer(tmp_path, callback(), max_epochs=1).validate(bright_module(threshold=None), data, verbose=False)
    assert data.taught.offset is None
    assert not data.taught.additions


def test_a_resumed_run_knows_the_power(spots, tmp_path):
    seen = []

    class Watch(ConspicuousFirst):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.append(batch.offset)

    first, again = ConspicuousFirst(), Watch()
    first.estimated = 3.0
    again.load_state_dict(first.state_dict())
    taught(spots, tmp_path, again, max_epochs=1)
    assert again.estimated == 3.0
    assert seen[0].any()
    less = ConspicuousFirst(power=2.0)
    less.load_state_dict(first.state_dict())
    assert less.estimated == 2.0


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
            known.update(self._levels)
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


@pytest.mark.parametrize(("shrunk", "octaves"), [(False, 3), (True, 2)])
def test_contrast_is_of_the_size_that_objects_have_for_the_network(shrunk, octaves, spots, tmp_path):
    data = spot_data(spots, val_json=str(spots / "test.json"))
    data.check("fit")
    height, width = data.frames["train"][0].size
    data.image_size = (height // 2, width // 2) if shrunk else None
    fit = quiet_trainer(tmp_path, ConspicuousFirst(), max_epochs=1, limit_train_batches=1)
    fit.fit(bright_module(threshold=None), data)
    assert data.taught.offset.octaves == octaves


def test_two_processes_know_the_same(spots, tmp_path):
    levels_of(spots, tmp_path, devices=2, strategy="ddp_fork")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    assert first == second
    assert len(first) == 12


@pytest.mark.parametrize("wrong", [{"power": 0.0}, {"power": float("nan")}, {"least": 0.0}, {"least": 0.9}])
def test_arguments_are_checked(wrong):
    with pytest.raises(InputError, match="ConspicuousFirst: 0 < power"):
        ConspicuousFirst(**wrong)


def test_it_needs_validation_frames(spots, tmp_path):
    with pytest.raises(InputError, match=r"it is calibrated on validation frames; give --data\.val_json"):
        quiet_trainer(tmp_path, ConspicuousFirst(), max_epochs=1).fit(bright_module(), spot_data(spots, val_json=None))


def test_it_is_not_for_labels_at_random_as_well(spots, tmp_path):
    data = spot_data(spots)
    with pytest.raises(InputError, match="drop LabelChance"):
        quiet_trainer(tmp_path, ConspicuousFirst(), LabelChance(), max_epochs=1).fit(bright_module(), data)
