"""Each signature of a failure, provoked by a run: a network that finds all the spots, and one thing that is wrong."""

import json

import pytest
import torch
from bright import BrightNet, bright_module, quiet_trainer, spot_data

from carcinosis_loc.callbacks import ResultFiles


class Shifted(BrightNet):
    """Logits times ``scale``, plus ``shift``: the ranking stays, the scores go."""

    def __init__(self, scale=1.0, shift=0.0):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, image):
        return super().forward(image) * self.scale + self.shift


def said(spots, root, capsys, test_json=None, **wrong):
    module = bright_module(**{"threshold": 0.5, **wrong})
    data = spot_data(spots, test_json=str(test_json or spots / "test.json"))
    quiet_trainer(root, ResultFiles()).test(module, data, verbose=False)
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("!")]


def test_of_a_sound_run_nothing_is_said(spots, tmp_path, capsys):
    assert said(spots, tmp_path, capsys) == []


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"net": Shifted(scale=0.0, shift=-5.0)}, "The maps are empty"),
        ({"net": Shifted(shift=-3.5)}, "The threshold is off"),
        ({"top_k": 3}, "top_k = 3"),
        ({"match_radius_px": 0.1, "extra_radii_px": (3.0,)}, "match radius of 0.1 px is small"),
    ],
    ids=["empty", "threshold", "top k", "radius"],
)
def test_one_thing_is_wrong_and_it_is_said(spots, tmp_path, capsys, wrong, word):
    findings = said(spots, tmp_path, capsys, **wrong)
    assert any(word in finding for finding in findings), findings


def test_peaks_everywhere(spots, tmp_path, capsys):
    class Noise(BrightNet):
        def forward(self, image):
            random = torch.Generator().manual_seed(0)
            return 3 + torch.rand(super().forward(image).shape, generator=random)

    content = json.loads((spots / "test.json").read_text())
    of_image = {one["image_id"]: one for one in content["annotations"]}
    few = tmp_path / "few.json"
    few.write_text(json.dumps(content | {"annotations": list(of_image.values())}))  # one spot a frame
    findings = said(spots, tmp_path, capsys, few, net=Noise(), nms_radius_px=1.0)
    assert any("Peaks are everywhere" in finding for finding in findings), findings


def test_only_the_labelled_are_found(spots, tmp_path, capsys, monkeypatch):
    """Two of the six spots on a frame are labelled; a network that finds two and no more has learnt them by heart."""

    class ByHeart(BrightNet):
        def forward(self, image):
            logits = torch.full_like(super().forward(image), -9.0)
            for i, frame in enumerate(self.frames):
                for x, y in frame.points.xy:
                    logits[i, 0, int((y + 0.5) / 4), int((x + 0.5) / 4)] = 5.0
            return logits

    net = ByHeart()
    module = bright_module(net, threshold=0.5)
    begin = module.validation_step

    def step(batch, batch_idx):
        net.frames = batch.frames
        return begin(batch, batch_idx)

    monkeypatch.setattr(module, "validation_step", step)
    data = spot_data(spots, val_json=str(spots / "train.json"))
    quiet_trainer(tmp_path, ResultFiles()).validate(module, data, verbose=False)
    assert "Hardly more is found than is labelled" in capsys.readouterr().out
