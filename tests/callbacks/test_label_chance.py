"""The chance of a label as an offset: on drawn spots, and where it is known what a network would have to learn."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from bright import N_UNLABELLED, bright_module, quiet_trainer, spot_data, taught
from scipy.special import logit

from carcinosis_loc.callbacks import LabelChance, Teacher
from carcinosis_loc.callbacks.label_chance import offsets_of
from carcinosis_loc.data.offsets import FrameOffsets
from carcinosis_loc.data.taught import Taught
from carcinosis_loc.errors import InputError
from carcinosis_loc.losses import CragAndTail, PointProcess
from carcinosis_loc.points import Frame, Points

ONCE = {"start": 0.0, "rounds": 1}


def frame(image_id, labels, exhaustive=False):
    points = Points(np.zeros((labels, 2), np.float32))
    return Frame(image_id, "f.png", Path("f.png"), (48, 48), points, exhaustive=exhaustive)


def test_the_offset_is_the_logit_of_the_chance():
    offsets = offsets_of([frame(1, 5), frame(2, 5), frame(3, 5)], {1: 11.0, 2: 54.0, 3: 2.0}, 1.0)
    assert sum(offsets.values()) == pytest.approx(0)
    assert offsets[1] - offsets[2] == pytest.approx(logit(5.5 / 12) - logit(5.5 / 55))
    assert offsets[3] - offsets[2] == pytest.approx(logit(0.9) - logit(5.5 / 55))  # five at least, and 5.5 of 6 is much


def test_it_may_be_taken_in_part():
    known = [frame(1, 5), frame(2, 5)], {1: 11.0, 2: 54.0}
    assert offsets_of(*known, 0.3)[1] == pytest.approx(0.3 * offsets_of(*known, 1.0)[1])


def test_whole_frames_have_one_chance_however_many_objects_they_hold():
    offsets = offsets_of([frame(1, 2, True), frame(2, 90, True), frame(3, 0, True), frame(4, 0)], {4: 8.0}, 1.0)
    assert offsets[1] == offsets[2] == offsets[3] == pytest.approx(offsets[4] + logit(0.9) - logit(0.5 / 9))


def test_frames_that_are_alike_have_none():
    assert set(offsets_of([frame(1, 4), frame(2, 4)], {1: 9.0, 2: 9.0}, 1.0).values()) == {0.0}


def test_with_it_a_classifier_learns_objects_and_without_it_how_many_there_are():
    """Places that are an object or not, on frames of 6 to 60 objects of which 5 have a label: BCE in closed form."""
    rng = np.random.default_rng(0)
    objects = rng.integers(6, 61, 400)
    chance = 5 / objects
    nodule = rng.random((400, 200)) < 0.3
    labelled = (nodule & (rng.random((400, 200)) < chance[:, None])).astype(float)
    known = torch.tensor(logit(chance) - logit(chance).mean())[:, None]
    features = [torch.tensor(nodule, dtype=torch.float64), torch.tensor(np.log(objects))[:, None], torch.ones(1)]

    def by_crowding(offset):
        weights = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        steps = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

        def closure():
            steps.zero_grad()
            logits = sum(w * f for w, f in zip(weights, features, strict=True)) + offset
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(labelled))
            (loss + 1e-4 * weights.square().sum()).backward()
            return loss

        steps.step(closure)
        return float(weights[1].detach())

    assert by_crowding(0.0) < -0.9  # logit(5 / n) falls a little faster than -log n
    assert abs(by_crowding(known)) < 0.1


def test_a_loss_that_compares_within_a_frame_does_not_feel_it():
    logits, target = torch.randn(2, 1, 6, 6), torch.rand(2, 1, 6, 6)
    offset = torch.tensor([1.5, -0.7])[:, None, None, None]
    alike = PointProcess(anchor=1e-12)
    assert alike(logits + offset, target).item() == pytest.approx(alike(logits, target).item(), rel=1e-5)
    assert CragAndTail()(logits + offset, target).item() != pytest.approx(CragAndTail()(logits, target).item())


def test_training_batches_carry_it_from_the_first_round_on(spots, tmp_path, capsys):
    seen = []

    class Watch(LabelChance):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            known = [self.offsets.get(one.image_id) for one in batch.frames]
            seen.append((batch.offset, known))

        def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
            assert batch.offset is None

    callback = taught(spots, tmp_path, Watch(**ONCE))
    assert seen[0][0].tolist() == [[[[0.0]]], [[[0.0]]]]
    offset, known = seen[-1]
    assert offset.flatten().tolist() == pytest.approx(known)
    assert len(callback.offsets) == 12
    assert len({round(value, 6) for value in callback.offsets.values()}) > 1
    assert "label chance, round 1: 6 to 6 objects on eight of ten frames" in capsys.readouterr().out


def test_the_number_of_objects_is_that_of_the_spots(spots, tmp_path):
    """Two of six are labelled on ten frames; the network knows all six, and is sure."""
    callback = taught(spots, tmp_path, LabelChance(**ONCE))
    usual = sorted(callback.offsets.values())[5]
    offsets = sum(math.isclose(value, usual, abs_tol=0.05) for value in callback.offsets.values())
    assert offsets == 10
    assert np.mean(list(callback.offsets.values())) == pytest.approx(0, abs=1e-6)


def test_the_loss_sees_shifted_logits_and_the_network_does_not(spots, tmp_path):
    data, module = spot_data(spots), bright_module()
    data.check("fit")
    batch = next(iter(data.train_dataloader()))
    shifted = Taught(offset=FrameOffsets(dict.fromkeys((one.image_id for one in batch.frames), 0.8))).on(batch)
    with torch.no_grad():
        module.net.bias += 0.8
        moved = module._loss(module.net(batch.image), batch)
        module.net.bias -= 0.8
        assert module._loss(module.net(shifted.image), shifted).item() == pytest.approx(moved.item())
        assert module._loss(module.net(batch.image), batch).item() != pytest.approx(moved.item())


def test_a_frame_without_an_offset_has_none(spots):
    data = spot_data(spots)
    data.check("fit")
    batch = next(iter(data.train_dataloader()))
    first, second = (one.image_id for one in batch.frames)
    assert FrameOffsets({second: 1.0})(batch).flatten().tolist() == [0.0 if first != second else 1.0, 1.0]
    assert Taught().on(batch) is batch


def test_what_a_teacher_adds_takes_its_place(spots, tmp_path, capsys):
    offsets = []

    class Watch(Teacher):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            offsets.append(batch.offset)

    teacher, chance = Watch(start=0.6, rounds=1, believe_from=0.0), LabelChance(start=0.0, rounds=4)
    data = spot_data(spots, val_json=str(spots / "test.json"))
    quiet_trainer(tmp_path, teacher, chance, max_epochs=4, limit_train_batches=1).fit(
        bright_module(threshold=None), data
    )
    assert [known is not None and bool(known.any()) for known in offsets] == [False, True, True, False]
    said = capsys.readouterr().out
    assert "label chance, round 3" in said
    assert "label chance, round 4" not in said  # nothing would come of it
    assert sum(len(known.sure) for known in teacher.additions.values()) == N_UNLABELLED


def test_a_resumed_run_knows_the_offsets(spots, tmp_path):
    class Keep(LabelChance):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "c.ckpt")

    first = taught(spots, tmp_path / "a", Keep(**ONCE))
    seen = []

    class Watch(LabelChance):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            seen.append(batch.offset)

    again = Watch(**ONCE)
    again.load_state_dict(torch.load(tmp_path / "c.ckpt", weights_only=True)["callbacks"][first.state_key])
    assert (again.n_rounds, again.offsets) == (1, first.offsets)
    taught(spots, tmp_path / "b", again, max_epochs=1)
    assert seen[0].any()


def test_two_processes_know_the_same(spots, tmp_path):
    class Keep(LabelChance):
        def on_train_end(self, trainer, pl_module):
            torch.save(self.state_dict(), tmp_path / f"{trainer.global_rank}.pt")

    taught(spots, tmp_path, Keep(**ONCE), devices=2, strategy="ddp_fork")
    states = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert states[0] == states[1]
    assert len(states[0]["offsets"]) == 12


def test_frames_that_are_all_whole_need_none(spots, tmp_path, capsys):
    data = spot_data(spots, val_json=str(spots / "test.json"), exhaustive_splits=("train", "val", "test"))
    callback = LabelChance(**ONCE)
    quiet_trainer(tmp_path, callback, max_epochs=2, limit_train_batches=1).fit(bright_module(threshold=None), data)
    assert callback.offsets == {}
    assert "none needs an offset" in capsys.readouterr().out


def test_it_waits_while_nothing_can_be_calibrated(spots, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "carcinosis_loc.callbacks.label_chance.calibrate", lambda dense, sparse, draws, labels_at_random: None
    )
    callback = taught(spots, tmp_path, LabelChance(**ONCE))
    assert callback.offsets == {}
    assert "too early" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [{"start": -0.1}, {"start": math.nan}, {"rounds": 0}, {"strength": 0.0}, {"strength": math.nan}]
)
def test_arguments_are_checked(wrong):
    with pytest.raises(InputError, match=r"LabelChance: (start|strength) must lie"):
        LabelChance(**wrong)


@pytest.mark.parametrize(("options", "word"), [({"max_epochs": -1}, "max_epochs"), ({}, "val_json")])
def test_a_fit_without_a_round_is_refused(spots, tmp_path, options, word):
    data = spot_data(spots, **({} if options else {"val_json": None}))
    with pytest.raises(InputError, match=f"LabelChance: .*{word}"):
        quiet_trainer(tmp_path, LabelChance(), **{"max_epochs": 2, **options}).fit(bright_module(), data)
