"""Labels at their extremes, with the teacher on: a sane fallback and a clear line, and never a NaN in a table."""

import csv
import json
import math

import pytest
import torch
import yaml
from tiny_run import fit_words

from carcinosis_loc.cli import main

TEACH = {
    "trainer": {
        "callbacks": [
            {"class_path": "lightning.pytorch.callbacks.EMAWeightAveraging", "init_args": {"decay": 0.9}},
            {"class_path": "carcinosis_loc.callbacks.Teacher", "init_args": {"start": 0.0, "rounds": 2}},
        ]
    }
}


def none(content):
    return content | {"annotations": []}


def one(content):
    return content | {"annotations": content["annotations"][:1]}


def as_it_is(content):
    return content


def exhaustive(content):
    return content | {"images": [image | {"exhaustive": True} for image in content["images"]]}


def negative(content):
    return none(exhaustive(content))


def words_for(spots, tiny, folder, train, val):
    for split, how in (("train", train), ("val", val)):
        content = json.loads((spots / f"{split}.json").read_text())
        (folder / f"{split}.json").write_text(json.dumps(how(content)))
    (folder / "teach.yaml").write_text(yaml.safe_dump(TEACH))
    words = fit_words(spots, tiny, folder / "out", "--data.val_json", str(folder / "val.json"))
    words += ["--config", str(folder / "teach.yaml"), "--data.train_json", str(folder / "train.json")]
    return [*words, "--data.samples_per_epoch", "8"]


@pytest.mark.parametrize(
    ("train", "val", "says"),
    [
        (as_it_is, none, "0.5, since there was nothing to choose it by"),
        (as_it_is, one, "threshold of best.ckpt"),
        (as_it_is, exhaustive, "best F1 on 5 exhaustive frames"),
        (as_it_is, negative, "0.5, since there was nothing to choose it by"),
        (exhaustive, exhaustive, "best F1 on 5 exhaustive frames"),
        (exhaustive, as_it_is, "threshold of best.ckpt"),
        (one, as_it_is, "threshold of best.ckpt"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_fit_ends_well_and_says_what_it_chose(spots, tiny, tmp_path, capsys, train, val, says):
    words = words_for(spots, tiny, tmp_path, train, val)
    assert main(words) == 0
    out = capsys.readouterr()
    assert says in out.out
    assert out.err == ""
    with (tmp_path / "out" / "logs" / "fit" / "metrics.csv").open() as file:
        values = [float(value) for row in csv.DictReader(file) for value in row.values() if value]
    assert all(math.isfinite(value) for value in values)
    weights = torch.load(tmp_path / "out" / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_frames_without_an_object_alone_teach_nothing(spots, tiny, tmp_path, capsys):
    assert main(words_for(spots, tiny, tmp_path, negative, as_it_is)) == 2
    message = capsys.readouterr().err
    assert "train.json" in message
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()
