"""A finished network teaches a new one until that one teaches itself."""

from dataclasses import replace

import pytest
from bright import N_UNLABELLED, SOUND, BrightNet, bright_module, counts, quiet_trainer, spot_data, taught
from lightning.pytorch import Callback
from torch import nn

from carcinosis_loc.callbacks import Teacher, elder
from carcinosis_loc.errors import InputError
from carcinosis_loc.look import ONCE, Look
from carcinosis_loc.recipe import Recipe


class NormedNet(BrightNet):
    """As good as ``BrightNet`` in evaluation mode alone; it notes the mode it is asked in."""

    def __init__(self):
        super().__init__()
        self.norm, self.asked = nn.BatchNorm2d(1, affine=False), set()

    def forward(self, image):
        logits = self.norm(super().forward(image))
        self.asked.add((self.training, logits.requires_grad))
        return logits


def old_one(monkeypatch, calibration=SOUND, net=None, stride=4, **options):
    """A teacher whose elder stands in the place of a checkpoint's network."""
    net = net or BrightNet()
    net.stride = stride
    monkeypatch.setattr(elder, "load_trained", lambda path: (Recipe({}, calibration), net, None))
    return Teacher(**{"start": 0.99, "rounds": 1, "elder": "elder.ckpt", **options})


def labels_seen(spots, root, module, *callbacks):
    """How many points six batches of a training hold."""
    points = []

    class Watch(Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            points.append(int(batch.labelled.sum()))

    data = spot_data(spots, val_json=str(spots / "test.json"))
    quiet_trainer(root, *callbacks, Watch(), max_epochs=1, limit_train_batches=6).fit(module, data)
    return sum(points)


def test_it_teaches_from_the_first_step_on(spots, tmp_path, monkeypatch, capsys):
    callback, blind = old_one(monkeypatch), bright_module(threshold=None)
    blind.net.bias.data -= 1000  # it finds nothing itself
    taught = labels_seen(spots, tmp_path, blind, callback)
    assert sum(counts(callback)) == N_UNLABELLED
    assert float(blind.net.bias.detach()) == -1000  # it has its own network again
    assert "teacher, elder.ckpt:" in capsys.readouterr().out
    assert taught > 1.5 * labels_seen(spots, tmp_path, bright_module())


def test_it_looks_as_it_did_when_its_threshold_was_chosen(spots, tmp_path, monkeypatch):
    class Counted(BrightNet):
        multiple, passes = 4, 0

        def forward(self, image):
            self.passes += 1
            return super().forward(image)

    passes = []
    for look in (ONCE, Look(4, (1.0, 2.0))):
        net = Counted()
        taught(spots, tmp_path, old_one(monkeypatch, replace(SOUND, look=look), net), max_epochs=1)
        passes.append(net.passes)
    assert passes[1] >= 8 * passes[0] > 0


def test_it_is_asked_as_a_finished_network_is(spots, tmp_path, monkeypatch):
    net = NormedNet()
    callback = taught(spots, tmp_path, old_one(monkeypatch, net=net), max_epochs=1)
    assert net.asked == {(False, False)}
    assert float(net.norm.running_mean) == 0
    assert sum(counts(callback)) == N_UNLABELLED


def test_a_resumed_run_keeps_what_it_found_itself(spots, tmp_path, monkeypatch):
    class Keep(Teacher):
        def on_train_epoch_end(self, trainer, pl_module):
            if trainer.current_epoch == 2:
                trainer.save_checkpoint(tmp_path / "c.ckpt")

    monkeypatch.setattr(elder, "load_trained", lambda path: (Recipe({}, SOUND), BrightNet(), None))
    options = {"start": 0.0, "rounds": 1, "elder": "elder.ckpt"}
    first = taught(spots, tmp_path / "a", Keep(**options))
    assert first.rule != SOUND.rule  # its own round
    again = Keep(**options)
    taught(spots, tmp_path / "b", again, resume=tmp_path / "c.ckpt")
    assert (again.rule, counts(again)) == (first.rule, counts(first))


@pytest.mark.parametrize(("calibration", "stride"), [(None, 4), (SOUND, 8)])
def test_one_that_cannot_teach_is_refused(spots, tmp_path, monkeypatch, calibration, stride):
    with pytest.raises(InputError, match=r"elder\.ckpt"):
        taught(spots, tmp_path, old_one(monkeypatch, calibration, stride=stride))


def test_an_elder_that_is_no_file_is_named_as_one(tmp_path):
    standing_in = elder.elder_in_place(None, tmp_path / "nope.ckpt")
    with pytest.raises(InputError, match=r"Teacher: its elder .*nope\.ckpt"), standing_in:
        pass
