"""mmpose's HRNet, the network around it, and starting weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from carcinosis_loc.errors import InputError
from carcinosis_loc.models import HeatmapNet, HRNet, load_weights, read_checkpoint

SMALL = {"width": 8, "stem_width": 16, "stem_blocks": 1, "modules": (1, 1, 1), "blocks": 1}


def small_net(**options):
    torch.manual_seed(0)
    return HeatmapNet(HRNet(**SMALL), **options).eval()


def test_w32_is_mmposes():
    assert sum(p.numel() for p in HRNet(width=32).parameters()) == 28_535_552


@pytest.mark.parametrize("size", [(64, 64), (720 // 8, 1280 // 8), (45, 71), (1, 1), (33, 32)])
def test_any_size_gives_its_own_map(size):
    with torch.no_grad():
        logits = small_net()(torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8))
    assert logits.shape == (2, 1, -(-size[0] // 4), -(-size[1] // 4))
    assert torch.isfinite(logits).all()


def test_an_untrained_net_says_the_prior():
    with torch.no_grad():
        p = small_net(prior=0.02)(torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)).sigmoid()
    assert p.mean().item() == pytest.approx(0.02, rel=0.2)


def test_uint8_and_float_images_are_the_same_image():
    image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    net = small_net()
    with torch.no_grad():
        assert torch.equal(net(image), net(image.float()))


@pytest.mark.parametrize("prior", [0, 1, -0.1])
def test_a_prior_that_is_no_probability_is_refused(prior):
    with pytest.raises(ValueError, match="prior"):
        HeatmapNet(HRNet(**SMALL), prior=prior)


def prefixed(prefix):
    source = HRNet(**SMALL)
    return source, {prefix + name: tensor for name, tensor in source.body.state_dict().items()}


@pytest.mark.parametrize(
    ("prefix", "wrap"),
    [
        ("backbone.", lambda tensors: {"meta": {"epoch": 3}, "state_dict": tensors}),  # mmpose
        ("", lambda tensors: {"state_dict": tensors}),  # ImageNet, OpenMMLab's form
        ("", lambda tensors: tensors),  # a bare state dict
        ("net.backbone.body.", lambda tensors: {"state_dict": tensors}),  # ours
        ("module.backbone.", lambda tensors: {"model": tensors}),
    ],
)
def test_starting_weights_find_their_place(tmp_path, prefix, wrap):
    source, tensors = prefixed(prefix)
    torch.save(wrap(tensors | {"keypoint_head.weight": torch.zeros(3)}), tmp_path / "w.pth")
    net = small_net(init_checkpoint=str(tmp_path / "w.pth"))
    for name, tensor in source.body.state_dict().items():
        assert torch.equal(net.backbone.body.state_dict()[name], tensor), name
    assert len(net.init_report.matched) == len(tensors)
    assert net.init_report.unused == ("keypoint_head.weight",)
    assert set(net.init_report.missing) == {"head.weight", "head.bias"}


def test_our_own_checkpoint_fills_the_head_too(tmp_path):
    source = small_net()
    nn.init.constant_(source.head.bias, 7.0)
    torch.save({"state_dict": {"net." + k: v for k, v in source.state_dict().items()}}, tmp_path / "w.ckpt")
    net = HeatmapNet(HRNet(**SMALL), init_checkpoint=str(tmp_path / "w.ckpt"))
    assert net.head.bias.item() == 7.0
    assert net.init_report.missing == ()


def test_what_has_another_shape_is_left_and_reported(tmp_path):
    _, tensors = prefixed("backbone.")
    tensors["backbone.conv1.weight"] = torch.zeros(5, 3, 3, 3)
    torch.save({"state_dict": tensors}, tmp_path / "w.pth")
    report = load_weights(small_net(), tmp_path / "w.pth")
    assert report.reshaped == ("backbone.body.conv1.weight",)
    assert "1 of another shape" in str(report)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"state_dict": {"fc.weight": torch.zeros(3, 3)}}, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth: none of its 1 tensors fits"):
        load_weights(small_net(), tmp_path / "w.pth")


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch bomb-went-off",))


def test_a_pickle_bomb_is_refused_and_does_not_go_off(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, "bomb.pth")
    with pytest.raises(InputError, match=r"bomb\.pth: refused"):
        read_checkpoint(tmp_path / "bomb.pth")
    assert not (tmp_path / "bomb-went-off").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 broken", b"\x80\x02}"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.ckpt: ") as caught:
        read_checkpoint(tmp_path / "x.ckpt")
    assert "\n" not in str(caught.value)


def test_a_missing_or_list_checkpoint_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such checkpoint"):
        read_checkpoint(tmp_path / "none.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(InputError, match="holds a list"):
        read_checkpoint(tmp_path / "list.ckpt")


def test_without_mmpose_one_line_says_how_to_mend_it(tmp_path):
    (tmp_path / "mmpose.py").write_text("raise ImportError('no mmpose here')")
    code = (
        "from carcinosis_loc.models import HRNet\n"
        "try:\n    HRNet()\nexcept Exception as error:\n    print(type(error).__name__, error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    (line,) = out.stdout.strip().splitlines()
    assert line.startswith("InputError")
    assert "pip install --no-deps mmpose==1.3.2 mmcv-lite==2.2.0 mmengine-lite==0.10.7" in line


def test_the_install_line_is_the_requirements_file():
    from carcinosis_loc.models.hrnet import INSTALL_MMPOSE

    requirements = Path(__file__).parents[2] / "requirements" / "openmmlab.txt"
    lines = requirements.read_text().splitlines()
    assert INSTALL_MMPOSE.split()[3:] == [line for line in lines if not line.startswith("#")]
