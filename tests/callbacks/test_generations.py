"""Several networks in one training: each begins anew and is taught by the one before it."""

import pytest
import torch
from bright import SOUND, bright_module, counts, quiet_trainer, spot_data
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EMAWeightAveraging

from carcinosis_loc.callbacks import Teacher
from carcinosis_loc.callbacks import teacher as module_of_teacher
from carcinosis_loc.errors import InputError
from carcinosis_loc.losses import WeightedBCE
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale
from carcinosis_loc.schedules import OneCycle

EPOCHS = 6


def learning_module():
    module = bright_module(threshold=None)
    module.optimizer = lambda parameters: torch.optim.Adam(parameters, lr=0.02)
    module.scheduler = lambda optimizer, steps: OneCycle(optimizer, steps, cycles=3)
    return module


class Watch(Callback):
    """What each epoch begins with."""

    def __init__(self, keep_at=None, path=None):
        self.bias, self.state, self.averaged, self.rates, self.keep_at, self.path = [], [], [], [], keep_at, path
        self.averaged_bias_after = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            self.bias.append(float(pl_module.net.bias.detach()))
            self.state.append(len(trainer.optimizers[0].state))
            self.averaged.append(int(trainer.callbacks[0]._average_model.n_averaged))
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer, pl_module):
        self.averaged_bias_after.append(float(trainer.callbacks[0]._average_model.module.net.bias))
        if trainer.current_epoch == self.keep_at:
            trainer.save_checkpoint(self.path)


def trained(spots, root, teacher, watch, resume=None, **options):
    data, module = spot_data(spots, val_json=str(spots / "test.json"), **options), learning_module()
    callbacks = [EMAWeightAveraging(decay=0.9), teacher, watch]
    quiet_trainer(root, *callbacks, max_epochs=EPOCHS, limit_train_batches=3).fit(module, data, ckpt_path=resume)
    return module


def generations(**more):
    return Teacher(start=0.0, rounds=1, generations=3, **more)


def test_each_begins_with_the_first_weights_and_no_memory(spots, tmp_path, capsys):
    watch, callback = Watch(), generations()
    trained(spots, tmp_path, callback, watch)
    assert watch.bias[0] == watch.bias[2] == watch.bias[4] == 0
    assert min(abs(watch.bias[epoch]) for epoch in (1, 3, 5)) > 0
    assert watch.state == [0, 1, 0, 1, 0, 1]
    assert watch.averaged == [0, 3, 0, 3, 0, 3]
    assert watch.rates[:6] == watch.rates[6:12] == pytest.approx(watch.rates[12:])
    assert max(watch.rates) == pytest.approx(0.02, rel=0.1)
    assert callback.generation == 2
    out = capsys.readouterr().out
    assert "network 2 of 3 begins" in out
    assert "network 3 of 3 begins" in out
    assert "teacher, round 1: " in out
    assert "teacher, end of network 2: " in out


def test_or_with_the_averaged_weights_of_the_one_that_taught_it(spots, tmp_path):
    watch, callback = Watch(), generations(anew=False)
    trained(spots, tmp_path, callback, watch)
    assert watch.bias[2] == watch.averaged_bias_after[1] != 0
    assert watch.bias[4] == watch.averaged_bias_after[3] != 0
    assert watch.state == [0, 1, 0, 1, 0, 1]
    assert watch.averaged == [0, 3, 0, 3, 0, 3]
    assert not callback.state_dict()["first"]


def test_all_is_believed_that_the_one_before_it_found(spots, tmp_path):
    added = []

    class Added(Teacher):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            if batch_idx == 0:
                added.append(sum(len(known.sure) for known in self.additions.values()))

    trained(spots, tmp_path, Added(start=0.0, rounds=2, believe_from=1.0, generations=3), Watch())
    assert added[:2] == [0, 0]  # the first network's own rounds only leave out
    assert min(added[2:]) > 0


def test_where_all_is_marked_the_network_goes_on(spots, tmp_path, capsys):
    watch = Watch()
    trained(spots, tmp_path, generations(), watch, exhaustive_splits=["train"])
    said = capsys.readouterr().out
    assert "begins" not in said
    assert said.count("so the network goes on") == 2
    assert watch.state == [0, 1, 1, 1, 1, 1]


def test_where_nothing_passes_the_network_goes_on(spots, tmp_path, monkeypatch, capsys):
    """And the best epoch is kept, not the latest."""
    nothing = Calibration(0.9, "labels", 5, 9, ScoreScale(2.0, -30.0))
    monkeypatch.setattr(module_of_teacher, "calibrate", lambda dense, sparse, **how: nothing)
    watch, callback = Watch(), generations()
    trained(spots, tmp_path, callback, watch)
    assert counts(callback) == [0, 0]
    assert "begins" not in capsys.readouterr().out
    assert watch.state == [0, 1, 1, 1, 1, 1]


def test_a_new_network_that_is_not_ready_keeps_what_the_one_before_it_found(spots, tmp_path, monkeypatch, capsys):
    left = [SOUND, SOUND, None, SOUND, SOUND]
    monkeypatch.setattr(module_of_teacher, "calibrate", lambda dense, sparse, **how: left.pop(0))
    callback = generations()
    trained(spots, tmp_path, callback, Watch())
    out = capsys.readouterr().out
    assert "too early" in out
    assert "network 3 of 3 begins" in out
    assert not callback.stopped
    assert sum(counts(callback)) > 0


def test_a_learning_rate_without_as_many_cycles_is_spoken_of(spots, tmp_path, capsys):
    trained(spots, tmp_path, Teacher(start=0.0, rounds=1, generations=2), Watch())
    assert "has 3 cycles for 2 networks" in capsys.readouterr().out


# Just before the second network begins, and within it.
@pytest.mark.parametrize(("anew", "epochs"), [(True, (1, 2)), (False, (1,))])
def test_a_run_that_was_broken_off_goes_on_exactly(anew, epochs, spots, tmp_path):
    for epoch in epochs:
        path = tmp_path / f"{epoch}.ckpt"
        whole = trained(spots, tmp_path / "whole", generations(anew=anew), Watch(epoch, path))
        resumed = trained(spots, tmp_path / "again", generations(anew=anew), Watch(), resume=path)
        assert torch.equal(resumed.net.bias, whole.net.bias)


class Losses(Callback):
    """Whose loss each epoch begins with."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            self.seen.append(type(pl_module.loss).__name__)


def test_a_network_that_another_one_teaches_has_the_teachers_loss(spots, tmp_path):
    def seen(root, watch, resume=None):
        losses = Losses()
        data = spot_data(spots, val_json=str(spots / "test.json"))
        callback = Teacher(start=0.0, rounds=1, generations=3, loss=WeightedBCE())
        callbacks = [EMAWeightAveraging(decay=0.9), callback, watch, losses]
        fit = quiet_trainer(root, *callbacks, max_epochs=EPOCHS, limit_train_batches=3)
        fit.fit(learning_module(), data, ckpt_path=resume)
        return losses.seen

    path = tmp_path / "second.ckpt"
    assert seen(tmp_path / "whole", Watch(2, path)) == ["HeatmapMSE"] * 2 + ["WeightedBCE"] * 4
    assert seen(tmp_path / "again", Watch(), path) == ["WeightedBCE"] * 3


def test_where_the_network_goes_on_it_keeps_its_loss(spots, tmp_path):
    losses = Losses()
    data = spot_data(spots, val_json=str(spots / "test.json"), exhaustive_splits=["train"])
    callback = Teacher(start=0.0, rounds=1, generations=3, loss=WeightedBCE())
    fit = quiet_trainer(tmp_path, EMAWeightAveraging(decay=0.9), callback, losses, max_epochs=EPOCHS)
    fit.fit(learning_module(), data)
    assert set(losses.seen) == {"HeatmapMSE"}


def test_the_last_one_keeps_no_first_weights(spots, tmp_path):
    for epoch, kept in ((1, True), (5, False)):
        path, callback = tmp_path / f"{epoch}.ckpt", generations()
        trained(spots, tmp_path, callback, Watch(epoch, path))
        state = torch.load(path, weights_only=True)["callbacks"][callback.state_key]
        assert bool(state["first"]) is kept


def test_a_state_without_generations_is_taken_over():
    state = generations().state_dict()
    del state["generation"], state["first"]
    again = generations()
    again.load_state_dict(state)
    assert again.generation == 0


def test_fewer_epochs_than_generations_are_refused(spots, tmp_path):
    with pytest.raises(InputError, match="generations"):
        trained(spots, tmp_path, Teacher(generations=EPOCHS + 1), Watch())
    with pytest.raises(InputError, match="generations"):
        Teacher(generations=0)


@pytest.mark.parametrize(("cycles", "steps"), [(0, 10), (11, 10)])
def test_cycles_must_fit_into_the_run(cycles, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(InputError, match="cycles"):
        OneCycle(optimizer, steps, cycles=cycles)


def test_cycles_that_do_not_divide_the_run_end_with_it():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    schedule, rates = OneCycle(optimizer, 10, cycles=3), []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == rates[4] == rates[8] == pytest.approx(0.1 / 25)
    with pytest.raises(InputError, match="ends after 10"):
        schedule.step()
