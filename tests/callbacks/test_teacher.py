"""The teacher, on drawn spots of which two a frame are labelled and a network that finds them all from the start."""

import json

import numpy as np
import pytest
import torch
from bright import N_UNLABELLED, SOUND, bright_module, counts, quiet_trainer, spot_data, taught

from carcinosis_loc.callbacks import Teacher, believing, teacher
from carcinosis_loc.callbacks.checkpoints import BestCheckpoint
from carcinosis_loc.data.offsets import FrameOffsets
from carcinosis_loc.errors import InputError
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale


def test_it_finds_what_nobody_labelled(spots, tmp_path, capsys):
    callback = taught(spots, tmp_path, Teacher(start=0.0, rounds=1, believe_from=0.0))
    assert counts(callback)[0] == N_UNLABELLED
    assert f"{N_UNLABELLED / 12:.1f} points a frame added" in capsys.readouterr().out
    labels = json.loads((spots / "train.json").read_text())
    for annotation in labels["annotations"]:
        sure = callback.additions[annotation["image_id"]].sure
        labelled = np.array(annotation["keypoints"], float).reshape(-1, 3)[:, None, :2]
        assert np.linalg.norm(labelled - sure, axis=-1).min() > 6


def test_early_rounds_leave_out_and_later_ones_believe(spots, tmp_path):
    seen = []

    class Watch(Teacher):
        def on_train_epoch_start(self, trainer, pl_module):
            seen.append(counts(self))

    taught(spots, tmp_path, Watch(start=0.0, rounds=2, believe_from=0.5))
    assert seen[0] == [0, 0]
    early, late = seen[1], seen[-1]
    assert (early[0], late[0]) == (0, N_UNLABELLED)
    assert early[1] == sum(late)


def test_batches_of_the_training_hold_what_was_taught(spots, tmp_path):
    points = []

    class Watch(Teacher):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            points.append(int(batch.labelled.sum()))

    taught(spots, tmp_path, Watch(start=0.0, rounds=1, believe_from=0.0), limit_train_batches=6)
    assert sum(points[6:12]) > 1.5 * sum(points[:6])


def test_a_resumed_run_knows_what_was_taught(spots, tmp_path):
    options = {"start": 0.0, "rounds": 2, "believe_from": 0.0}

    class Keep(Teacher):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "c.ckpt")

    first = taught(spots, tmp_path / "a", Keep(**options))
    again = Teacher(**options)
    again.load_state_dict(torch.load(tmp_path / "c.ckpt", weights_only=True)["callbacks"][first.state_key])
    assert again.n_rounds == first.n_rounds == 2
    assert counts(again) == counts(first)
    for image_id, known in first.additions.items():
        assert np.array_equal(again.additions[image_id].sure, known.sure)


def chosen(monkeypatch, *calibrations):
    """Let the rounds see these, one after the other."""
    left = list(calibrations)
    monkeypatch.setattr(teacher, "calibrate", lambda dense, sparse, **how: left.pop(0))


FLOODED = Calibration(0.001, "valley", 5, 9, ScoreScale(2.0, 40.0))


@pytest.mark.parametrize(
    ("calibrations", "message"), [((SOUND, None), "collapsed"), ((SOUND, FLOODED), "flood")], ids=["collapse", "flood"]
)
def test_it_stops_and_takes_all_back_when_the_maps_break_down(
    spots, tmp_path, monkeypatch, capsys, calibrations, message
):
    chosen(monkeypatch, *calibrations)
    callback = taught(spots, tmp_path, Teacher(start=0.0, rounds=3, believe_from=0.0))
    assert callback.stopped
    assert callback.additions == {}
    assert callback.n_rounds == 2  # the third is not held
    assert message in capsys.readouterr().out


def test_more_peaks_by_another_rule_are_no_flood(spots, tmp_path, monkeypatch):
    """Labels on the conspicuous say little; once a valley has opened, far more is found."""
    shy = Calibration(0.95, "labels", 5, 9, ScoreScale(2.0, -6.0))
    chosen(monkeypatch, shy, FLOODED)
    callback = taught(spots, tmp_path, Teacher(start=0.0, rounds=2, believe_from=0.0))
    assert not callback.stopped
    assert sum(counts(callback)) >= N_UNLABELLED


def test_far_too_many_peaks_by_another_rule_are_passed_over(spots, tmp_path, monkeypatch, capsys):
    """On retina a valley at 0.004 had found 500 peaks a frame after 31 by the labels' rule, and they were believed."""
    chosen(monkeypatch, SOUND, Calibration(0.001, "knee", 5, 9, ScoreScale(2.0, 40.0)))
    monkeypatch.setattr(believing, "_FLOOD_BY_ANOTHER_RULE", 1.5)
    callback = taught(spots, tmp_path, Teacher(start=0.0, rounds=2, believe_from=0.0))
    assert not callback.stopped
    assert (callback.rule, sum(counts(callback))) == ("valley", N_UNLABELLED)
    assert "round 2: passed over" in capsys.readouterr().out


@pytest.mark.parametrize("rule", ["valley", "exhaustive"])
def test_what_was_best_before_a_round_counts_no_more_unless_it_is_known_to_be(spots, tmp_path, monkeypatch, rule):
    """Labels are no measure of a network that was taught beyond them; exhaustive frames are of any."""
    sound, forgot = Calibration(0.3, rule, 5, 9, ScoreScale(2.0, 0.0)), []
    chosen(monkeypatch, *[sound] * 8)
    forget = BestCheckpoint.forget
    monkeypatch.setattr(BestCheckpoint, "forget", lambda best: (forgot.append(best), forget(best)))
    callback, best = Teacher(start=0.0, rounds=1, believe_from=0.0), BestCheckpoint(tmp_path / "checkpoints")
    trainer = quiet_trainer(tmp_path, callback, best, max_epochs=4, limit_train_batches=1, enable_checkpointing=True)
    splits = ["val"] if rule == "exhaustive" else []
    trainer.fit(bright_module(threshold=None), spot_data(spots, exhaustive_splits=splits))
    assert counts(callback)[0] > 0
    assert bool(forgot) == (rule != "exhaustive")
    assert torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] == 3


@pytest.mark.parametrize("known", [True, False, None])
def test_it_goes_by_what_is_known_of_the_labels(spots, tmp_path, monkeypatch, known):
    asked = []
    monkeypatch.setattr(teacher, "calibrate", lambda dense, sparse, **how: asked.append(how))
    module = bright_module(threshold=None)
    module.labels_at_random = known
    fit = quiet_trainer(tmp_path, Teacher(start=0.0, rounds=1), max_epochs=2, limit_train_batches=1)
    fit.fit(module, spot_data(spots, val_json=str(spots / "test.json")))
    assert [how["labels_at_random"] for how in asked] == [known]


def test_it_waits_while_nothing_can_be_calibrated(spots, tmp_path, monkeypatch, capsys):
    chosen(monkeypatch, None, SOUND, SOUND)
    callback = taught(spots, tmp_path, Teacher(start=0.0, rounds=3, believe_from=0.0))
    assert not callback.stopped
    assert callback.n_rounds == 3
    assert sum(counts(callback)) >= N_UNLABELLED
    assert "too early" in capsys.readouterr().out


def test_a_probability_that_nothing_reaches_adds_nothing(spots, tmp_path, monkeypatch):
    chosen(monkeypatch, Calibration(0.9, "labels", 5, 9, ScoreScale(2.0, -30.0)))
    callback = taught(spots, tmp_path, Teacher(start=0.0, rounds=1, believe_from=0.0))
    assert counts(callback) == [0, 0]


def test_a_round_that_finds_nothing_leaves_another_callbacks_offset(spots, tmp_path, monkeypatch):
    chosen(monkeypatch, Calibration(0.9, "labels", 5, 9, ScoreScale(2.0, -30.0)))
    data, offset = spot_data(spots, val_json=str(spots / "test.json")), FrameOffsets({})
    data.teach(offset=offset)
    callback = Teacher(start=0.0, rounds=1)
    quiet_trainer(tmp_path, callback, max_epochs=2, limit_train_batches=1).fit(bright_module(threshold=None), data)
    assert callback.n_rounds == 1
    assert not data.taught.additions
    assert data.taught.offset is offset


def test_two_processes_know_the_same(spots, tmp_path):
    """Each looks at half of the frames; both get all."""

    class Keep(Teacher):
        def on_train_end(self, trainer, pl_module):
            torch.save(self.state_dict(), tmp_path / f"{trainer.global_rank}.pt")

    taught(spots, tmp_path, Keep(start=0.0, rounds=1, believe_from=0.0), devices=2, strategy="ddp_fork")
    states = [torch.load(tmp_path / f"{rank}.pt", weights_only=True)["additions"] for rank in range(2)]
    assert sorted(states[0]) == sorted(states[1])
    assert len(states[0]) == 12
    assert sum(len(sure) for sure, _ in states[0].values()) == N_UNLABELLED
    for image_id, (sure, unsure) in states[0].items():
        assert torch.equal(sure, states[1][image_id][0])
        assert torch.equal(unsure, states[1][image_id][1])


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"start": -0.1}, "start"),
        ({"believe_from": 2}, "believe_from"),
        ({"rounds": 0}, "rounds"),
        ({"doubt": 0.9}, "doubt"),
        ({"sure": 1.0}, "sure"),
        ({"doubt": 0.0}, "doubt"),
    ],
)
def test_arguments_are_checked(wrong, word):
    with pytest.raises(InputError, match=word):
        Teacher(**wrong)


@pytest.mark.parametrize(("options", "word"), [({"max_epochs": -1}, "max_epochs"), ({}, "val_json")])
def test_a_fit_that_cannot_be_taught_is_refused(spots, tmp_path, options, word):
    data = spot_data(spots, **({} if options else {"val_json": None}))
    with pytest.raises(InputError, match=word):
        quiet_trainer(tmp_path, Teacher(), **{"max_epochs": 2, **options}).fit(bright_module(), data)
