"""TorchScript files: the same points as the checkpoint, with PyTorch alone; and none is ever opened for somebody."""

import argparse
import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import carcinosis_loc
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError, RunError
from carcinosis_loc.export import ExportedModel, command, torchscript
from carcinosis_loc.export.torchscript import PixelsToPoints
from carcinosis_loc.heatmap import PeakDecoder, cells_of
from carcinosis_loc.models import HeatmapNet, HRNet

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
DECODERS = {
    "usual": PeakDecoder(),
    "few": PeakDecoder(top_k=7, nms_radius_px=9.0),
    "wide": PeakDecoder(score_floor=0.0, nms_radius_px=30.0, top_k=200),
    "no suppression": PeakDecoder(score_floor=0.4, nms_radius_px=0.0, top_k=50),
}


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("torchscript") / "model.ts"
    assert main(["export", str(fitted), str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def whole(exported):
    return torch.jit.load(exported)


@pytest.fixture(scope="module")
def compiled():
    net = HeatmapNet(HRNet(width=2, stem_width=2, stem_blocks=1, modules=(1, 1, 1), blocks=1))
    return {name: torch.jit.script(PixelsToPoints(torch.nn.Identity(), net, d)) for name, d in DECODERS.items()}


def assert_same(decode, decoder, logits, valid):
    points, scores, count = decode(logits, cells_of(valid, 4))
    assert points.shape == (len(logits), min(decoder.top_k, logits[0].numel()), 2)
    wanted = decoder(logits, 4, cells_of(valid, 4))
    assert count.tolist() == [len(peaks) for peaks in wanted]
    for peaks, xy, score, n in zip(wanted, points.numpy(), scores.numpy(), count.tolist(), strict=True):
        assert np.abs(xy[:n] - peaks.xy).max(initial=0) < 1e-4
        assert np.abs(score[:n] - peaks.scores).max(initial=0) < 1e-6
        assert (xy[n:] == -1).all()
        assert (score[n:] == -1).all()


sizes = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 24))


@given(st.sampled_from(sorted(DECODERS)), st.integers(0, 2**31 - 1), sizes, st.sampled_from([0, 1, 3]))
@settings(max_examples=100, deadline=None)
def test_its_decoding_is_the_decoders(compiled, name, seed, size, levels):
    """On noise, on whole numbers (plateaus, ties, more than top_k peaks), and under masks, some of them empty."""
    batch, rows, columns = size
    random = torch.Generator().manual_seed(seed)
    logits = 4 * torch.randn(batch, 1, rows, columns, generator=random)
    if levels:
        logits = torch.randint(-levels, levels + 1, logits.shape, generator=random).float()
    masked = (0.0, 0.1, 1.1)[seed % 3]
    valid = torch.rand(batch, 1, 4 * rows - seed % 4, 4 * columns - seed % 3, generator=random) >= masked
    assert_same(compiled[name].decode, DECODERS[name], logits, valid)


@pytest.mark.parametrize(("name", "levels"), [("usual", -30.0), ("few", 2.0), ("wide", 2.0)])
def test_flat_maps(compiled, name, levels):
    """Nothing above the floor; and one plateau, which is one peak."""
    logits = torch.full((2, 1, 8, 11), levels)
    assert_same(compiled[name].decode, DECODERS[name], logits, torch.ones(2, 1, 32, 44, dtype=torch.bool))


@pytest.mark.parametrize("size", [(1, 64, 64), (3, 75, 101), (1, 31, 200), (3, 7, 5), (2, 1, 1)])
def test_it_gives_the_checkpoints_points(whole, fitted, size):
    batch, height, width = size
    images = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
    valid = torch.ones(batch, 1, height, width, dtype=torch.bool)
    points, scores, count, logits = whole(torch.from_numpy(images).permute(0, 3, 1, 2), valid)
    assert logits.shape == (batch, 1, -(-height // 4), -(-width // 4))
    find = carcinosis_loc.load(fitted)
    for image, xy, score, n in zip(images, points, scores, count.tolist(), strict=True):
        wanted = find(image, threshold=0.0)
        assert n == len(wanted) > 0
        on_image = np.clip(xy[:n].numpy(), -0.5, [width - 0.5, height - 0.5])  # the letterbox clips too
        assert np.abs(on_image - wanted.xy).max() < 0.1
        assert np.abs(score[:n].numpy() - wanted.scores).max() < 1e-4


def test_it_gives_what_the_onnx_file_gives(whole, fitted, tmp_path):
    assert main(["export", str(fitted), str(tmp_path / "model.onnx")]) == 0
    images = np.random.default_rng(3).integers(0, 256, (3, 3, 50, 70), np.uint8)
    valid = np.ones((3, 1, 50, 70), np.bool_)
    valid[1, :, :20], valid[2] = False, False
    wanted = ExportedModel(tmp_path / "model.onnx")(images, valid)
    points, scores, count, logits = (part.numpy() for part in whole(torch.from_numpy(images), torch.from_numpy(valid)))
    assert np.abs(logits - wanted.logits).max() < 1e-3
    assert count.tolist() == [len(peaks) for peaks in wanted.peaks]
    assert count[2] == 0 < count[1]
    for peaks, xy, score, n in zip(wanted.peaks, points, scores, count, strict=True):
        assert np.abs(xy[:n] - peaks.xy).max(initial=0) < 0.1
        assert np.abs(score[:n] - peaks.scores).max(initial=0) < 1e-4


def test_it_says_what_it_needs_and_nothing_of_the_machine(exported, fitted):
    files = {"carcloc": ""}
    torch.jit.load(exported, _extra_files=files)
    told = json.loads(files["carcloc"])
    assert told["threshold"] == carcinosis_loc.load(fitted).threshold
    assert (told["image_size"], told["stride"]) == (None, 4)
    assert told["decoder"] == {"threshold": None, "score_floor": 0.001, "nms_radius_px": 4.0, "top_k": 500}
    with zipfile.ZipFile(exported) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
        assert not any(name.endswith("debug_pkl") for name in archive.namelist())
    for place in (Path(carcinosis_loc.__file__).parents[1], fitted.parent, Path(torch.__file__).parents[1]):
        assert str(place).encode() not in content


def test_export_replaces_a_file_when_the_new_one_is_right(fitted, tmp_path, capsys, monkeypatch):
    path = tmp_path / "model.ts"
    path.write_text("old")
    with monkeypatch.context() as patched:
        patched.setattr(torchscript, "folded", lambda net: HeatmapNet(net.backbone))  # a head of its own
        with pytest.raises(RunError, match="the exported graph is wrong"):
            main_raising(fitted, path)
    assert path.read_text() == "old"
    assert main(["export", str(fitted), str(path)]) == 0
    assert "the earlier file is replaced" in capsys.readouterr().out
    assert torch.jit.load(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.ts"]


def main_raising(checkpoint, out):
    command.run(argparse.Namespace(checkpoint=checkpoint, out=out, top_k=None))


@pytest.mark.parametrize("name", ["m.h5", "m.pt2", "m.pt", "m"])
def test_other_suffixes_are_one_line(name, fitted, tmp_path, capsys):
    assert main(["export", str(fitted), str(tmp_path / name)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert ".onnx" in err
    assert ".ts" in err
    assert not list(tmp_path.iterdir())


class Writer(torch.nn.Module):
    """What a stranger's file might do as soon as it runs."""

    def forward(self, image: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        torch.save(image, "written_by_a_stranger")
        return image


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("bomb_went_off"),)


def make_bomb(path):
    """As torch.export.save lays a file out, with pickled weights."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/archive_format", "pt2")
        archive.writestr("m/models/model.json", "{}")
        archive.writestr("m/data/weights/weight_0", pickle.dumps(Bomb()))


def make_pt2(path):
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.zeros(1, 2),))
    torch.export.save(program, path)


STRANGERS = {
    "ours.ts": lambda path, exported: path.write_bytes(exported.read_bytes()),
    "theirs.ts": lambda path, exported: torch.jit.script(Writer()).save(path),
    "renamed.ckpt": lambda path, exported: torch.jit.script(Writer()).save(path),
    "theirs.pt2": lambda path, exported: make_pt2(path),
    "bomb.pt2": lambda path, exported: make_bomb(path),
    "bomb.ts": lambda path, exported: make_bomb(path),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_no_such_file_is_ever_opened(name, exported, spots, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    STRANGERS[name](tmp_path / name, exported)
    before = sorted(tmp_path.iterdir())

    def never(*_, **__):
        raise AssertionError("it was opened")

    for module, call in ((torch.jit, "load"), (torch.export, "load"), (torch._C, "import_ir_module")):
        monkeypatch.setattr(module, call, never)
    words = ["predict", "--ckpt_path", name, "--data.predict_source", str(spots / "images")]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert name in err
    assert ".onnx" in err
    with pytest.raises(InputError, match=r"\.onnx"):
        carcinosis_loc.load(name)
    assert sorted(tmp_path.iterdir()) == before


def test_a_strangers_file_would_run(tmp_path, monkeypatch):
    """Why none is opened: this is what TorchScript can do."""
    monkeypatch.chdir(tmp_path)
    torch.jit.script(Writer()).save("theirs.ts")
    torch.jit.load("theirs.ts")(torch.zeros(1), torch.zeros(1))
    assert (tmp_path / "written_by_a_stranger").exists()


ABSENT = ["carcinosis_loc", "mmpose", "onnx", "onnxruntime", "lightning", "torchvision"]
BLOCK = f"import sys\nfor name in {ABSENT}:\n    sys.modules[name] = None\n"
KEEP = "\ntorch.save([image, points, scores, count], 'found.pt')\n"


def test_the_docs_example_needs_torch_alone(exported, fitted, spots, tmp_path):
    """As it stands in docs/export.md; OpenCV reads the image."""
    code = re.search(r"```python\n(import json\n\nimport cv2\nimport torch\n.*?)```", DOCS.read_text(), re.S).group(1)
    (tmp_path / "model.ts").write_bytes(exported.read_bytes())
    (tmp_path / "frame.png").write_bytes((spots / "images" / "test_1.png").read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", BLOCK + code + KEEP], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "points" in done.stdout
    image, points, scores, count = torch.load(tmp_path / "found.pt", weights_only=True)
    wanted = carcinosis_loc.load(fitted)(tmp_path / "frame.png", threshold=0.0)
    assert image.shape == (1, 3, 64, 80)
    assert count.tolist() == [len(wanted)]
    assert len(wanted) > 0
    assert np.abs(np.clip(points[0, : len(wanted)].numpy(), -0.5, [79.5, 63.5]) - wanted.xy).max() < 0.1
    assert np.abs(scores[0, : len(wanted)].numpy() - wanted.scores).max() < 1e-4
