"""From a checkpoint to a file and back: the same points as PyTorch; whatever else ends with .onnx is refused."""

import csv
import json
import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch

import carcinosis_loc
from carcinosis_loc.cli import main
from carcinosis_loc.errors import InputError
from carcinosis_loc.export import ExportedModel, reading

DOCS = Path(__file__).parents[2] / "docs" / "export.md"


def predict_words(model, spots, root, *more):
    return [
        *("predict", "--ckpt_path", str(model), "--data.predict_source", str(spots / "images")),
        *("--trainer.default_root_dir", str(root), "--data.num_workers", "0", "--trainer.accelerator", "cpu", *more),
    ]


def rows_of(root):
    with (root / "predictions" / "points.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def assert_same_points(one, other):
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        assert a["file_name"] == b["file_name"]
    for name in {row["file_name"] for row in one}:
        xy, also = (
            np.array([[float(row["x"]), float(row["y"])] for row in rows if row["file_name"] == name])
            for rows in (one, other)
        )
        distance = np.hypot(*(xy[:, None] - also[None]).transpose(2, 0, 1))
        assert len(xy) == len(also)
        assert distance.min(1).max() < 0.1
        assert distance.min(0).max() < 0.1


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_predict_gives_the_checkpoints_points(fitted, exported, spots, tmp_path, runtime):
    threshold = ["--model.decoder.threshold", "0.05"]
    assert main(predict_words(fitted, spots, tmp_path / "a", *threshold)) == 0
    assert main(predict_words(exported, spots, tmp_path / "b", *threshold, "--model.runtime", runtime)) == 0
    assert_same_points(rows_of(tmp_path / "a"), rows_of(tmp_path / "b"))
    files = [{path.name for path in (tmp_path / name / "predictions").iterdir()} for name in "ab"]
    assert files[0] == files[1]
    hashes = [
        json.loads((tmp_path / name / "predictions" / "provenance.json").read_text())["checkpoint_sha256"]
        for name in "ab"
    ]
    assert hashes[0] == hashes[1]  # the checkpoint's, also where its exported file predicted


@pytest.mark.parametrize("size", [(64, 64), (75, 101), (31, 200), (7, 5), (1, 1), (128, 96)])
def test_python_gives_the_checkpoints_points(fitted, exported, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    wanted, found = (carcinosis_loc.load(path)(image, threshold=0.0) for path in (fitted, exported))
    assert len(wanted) == len(found) > 0
    assert np.abs(wanted.xy - found.xy).max() < 0.1
    assert np.abs(wanted.scores - found.scores).max() < 1e-4


def test_batches_are_their_images(exported):
    model, random = ExportedModel(exported), np.random.default_rng(1)
    images, valid = random.integers(0, 256, (3, 3, 50, 70), np.uint8), np.ones((3, 1, 50, 70), np.bool_)
    valid[1, :, :20] = False
    together = model(images, valid).peaks
    for number, peaks in enumerate(together):
        (alone,) = model(images[number : number + 1], valid[number : number + 1]).peaks
        assert len(alone) == len(peaks)
        assert np.allclose(alone.xy, peaks.xy, atol=0.01)
    assert (together[1].xy[:, 1] >= 19.5 - 4).all()


def test_the_file_says_what_it_needs_and_nothing_of_the_machine(fitted, exported):
    model = onnx.load(exported)
    told = json.loads({entry.key: entry.value for entry in model.metadata_props}["carcloc"])
    assert told["threshold"] == carcinosis_loc.load(fitted).threshold == carcinosis_loc.load(exported).threshold
    assert (told["image_size"], told["stride"], told["match_radius_px"]) == (None, 4, 6.0)
    assert told["decoder"] == {"threshold": None, "score_floor": 0.001, "nms_radius_px": 4.0, "top_k": 500}
    content = exported.read_bytes()
    for word in (b".py", str(Path(carcinosis_loc.__file__).parent).encode(), str(fitted.parent).encode()):
        assert word not in content


def test_export_replaces_a_file_and_says_so(fitted, exported, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    path.write_text("old")
    assert main(["export", str(fitted), str(path)]) == 0
    assert "the earlier file is replaced" in capsys.readouterr().out
    assert path.read_bytes() == exported.read_bytes()  # the same checkpoint, the same file
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def assert_refused(words, capsys, *named):
    code, err = main(words), capsys.readouterr().err
    assert code == 2, err
    assert err.count("\n") == 1, err
    for name in named:
        assert name in err


@pytest.mark.parametrize(
    ("checkpoint", "out", "named"),
    [("nowhere.ckpt", "m.onnx", "nowhere.ckpt"), ("junk.ckpt", "m.onnx", "junk.ckpt"), ("junk.ckpt", "m.h5", ".onnx")],
)
def test_bad_exports_are_refused(checkpoint, out, named, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    assert_refused(["export", checkpoint, out], capsys, named)
    assert not (tmp_path / out).exists()


def edited(edit):
    def make(exported, path):
        model = onnx.load(exported)
        edit(model)
        path.write_bytes(model.SerializeToString())  # onnx.save would look for external data itself

    return make


def foreign(exported, path):
    value = [onnx.helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", value[:1], value[1:])), path)


def external(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/hostname")


def external_in_a_node(model):
    tensor = onnx.TensorProto(name="t", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    model.graph.node.insert(0, onnx.helper.make_node("Constant", [], ["elsewhere"], value=tensor))


def custom_operator(model):
    model.graph.node[0].domain = "com.evil"
    model.opset_import.append(onnx.helper.make_opsetid("com.evil", 1))


def told(**changes):
    def edit(model):
        entry = next(entry for entry in model.metadata_props if entry.key == "carcloc")
        entry.value = json.dumps(json.loads(entry.value) | changes)

    return edited(edit)


def changed_weight(model):
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    tensor.raw_data = b"\x01" + tensor.raw_data[1:]


BAD = {
    "of another model": (foreign, "another model"),
    "without our description": (edited(lambda model: model.ClearField("metadata_props")), "another model"),
    "truncated": (lambda source, path: path.write_bytes(source.read_bytes()[:-1000]), "export it anew"),
    "no ONNX": (lambda source, path: path.write_text("not at all"), "no ONNX file"),
    "empty": (lambda source, path: path.write_bytes(b""), "no ONNX file"),
    "no file": (lambda source, path: None, "no such file"),
    "external data": (edited(external), "refused"),
    "external data in a node": (edited(external_in_a_node), "refused"),
    "a custom operator": (edited(custom_operator), "com.evil"),
    "another format": (told(format=99), "format 99"),
    "a threshold that is none": (told(decoder={"threshold": 7}), "damaged"),
    "an absurd size": (told(image_size=[10**9, 3]), "damaged"),
    "tiles that begin between cells": (told(multiple=30), "damaged"),
    "tiles that begin nowhere": (told(multiple=65536), "tile"),
    "a changed weight": (edited(changed_weight), "weights have changed"),
    "a newer opset": (edited(lambda model: setattr(model.opset_import[0], "version", 999)), "onnx"),
    "other outputs": (edited(lambda model: model.graph.output.pop()), "inputs and outputs"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_files_are_one_line(what, exported, spots, tmp_path, capsys):
    make, named = BAD[what]
    path = tmp_path / "bad.onnx"
    make(exported, path)
    assert_refused(predict_words(path, spots, tmp_path / "out"), capsys, "bad.onnx", named)
    assert not (tmp_path / "out" / "predictions").exists()


def test_only_predict_takes_exported_files(exported, spots, capsys):
    words = ["test", "--ckpt_path", str(exported), "--data.test_json", str(spots / "test.json")]
    assert_refused(words, capsys, "can only predict")


def test_what_is_in_the_graph_cannot_be_changed(exported, spots, tmp_path, capsys):
    words = predict_words(exported, spots, tmp_path, "--model.decoder.top_k", "9")
    assert_refused(words, capsys, "top_k", "export anew with --top-k 9")
    words = predict_words(exported, spots, tmp_path, "--model.decoder.nms_radius_px", "9")
    assert_refused(words, capsys, "nms_radius_px", "predict with the checkpoint")


def test_the_most_points_of_an_image_can_be_chosen(fitted, exported, spots, tmp_path, capsys):
    path, image = tmp_path / "two.onnx", spots / "images" / "test_0.png"
    assert main(["export", str(fitted), str(path), "--top-k", "2"]) == 0
    few, many = (carcinosis_loc.load(one)(image, threshold=0.0) for one in (path, exported))
    assert len(few.scores) == 2 < len(many.scores)
    np.testing.assert_array_equal(few.xy, many.xy[:2])
    assert_refused(["export", str(fitted), str(path), "--top-k", "0"], capsys, "--top-k must be 1 or more")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line_with_the_command(package, exported, spots, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    words = predict_words(exported, spots, tmp_path)
    assert_refused(words, capsys, package, "pip install 'carcinosis-loc[export]'")


def test_larger_than_protobuf_is_refused(exported, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="larger than"):
        carcinosis_loc.load(exported)


@pytest.mark.parametrize("image_size", [None, (96, 128)])
def test_the_docs_example_needs_no_carcloc(image_size, fitted, exported, spots, tmp_path, monkeypatch, capfd):
    """As it stands in docs/export.md, and without a warning of the runtime; for a model with an image size too."""
    code = re.search(r"```python\n(import json.*?)```", DOCS.read_text(), re.S).group(1)
    assert "carcinosis_loc" not in code
    assert "torch" not in code
    monkeypatch.chdir(tmp_path)
    checkpoint = fitted
    if image_size:
        content = torch.load(fitted, weights_only=True)
        content["carcloc"]["recipe"]["data"]["image_size"] = list(image_size)
        checkpoint = tmp_path / "sized.ckpt"
        torch.save(content, checkpoint)
        assert main(["export", str(checkpoint), "model.onnx"]) == 0
    else:
        shutil.copy(exported, "model.onnx")
    shutil.copy(spots / "images" / "test_1.png", "frame.png")
    names = {}
    capfd.readouterr()
    exec(compile(code, "example", "exec"), names)
    said = capfd.readouterr()
    assert "points" in said.out
    assert said.err == ""
    image = cv2.imread("frame.png")[..., ::-1].copy()
    wanted = carcinosis_loc.load(checkpoint)(image, threshold=0.0)
    xy, scores = names["find"](image, threshold=0.0)
    assert len(xy) == len(wanted) > 0
    assert np.abs(xy - wanted.xy).max() < 0.1
    assert np.abs(scores - wanted.scores).max() < 1e-4
