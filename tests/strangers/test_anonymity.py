"""With ``--anonymize``, nothing that is written or said tells what images, their folders or label files are called."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pytest
import wandb
import yaml
from kills import TEACH
from tiny_run import fit_words

from carcinosis_loc.cli import main

SECRET = re.compile(rb"jane|doe_19|ward_7|case_zero", re.IGNORECASE)


@pytest.fixture
def named(spots, tmp_path):
    """The spots, with a patient's name in every folder, file, group and note."""
    home = tmp_path / "ward_7" / "jane_doe"
    images = home / "images"
    images.mkdir(parents=True)
    for split in ("train", "val", "test"):
        labels = json.loads((spots / f"{split}.json").read_text())
        for image in labels["images"]:
            new = f"Jane_Doe_1970_{image['file_name']}"
            shutil.copy(spots / "images" / image["file_name"], images / new)
            image |= {"file_name": new, "group": f"doe_19{split}", "note": "case_zero of Jane"}
        (home / f"jane_{split}.json").write_text(json.dumps(labels))
    return home


@pytest.fixture
def carcloc(capsys):
    """Runs a command and gives what it said."""

    def run(words):
        code = main(words)
        wandb.finish()  # as the end of the process does
        said = capsys.readouterr()
        assert code == 0, said.err
        return (said.out + said.err).encode()

    yield run
    wandb.teardown()  # processes of later tests would otherwise hand their dashboards to this one's service


def contents(path):
    """What a file holds; a checkpoint's parts are unpacked."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    return path.read_bytes()


def test_no_name_is_written_or_said(carcloc, named, tiny, tmp_path):
    teach, root = tmp_path / "teach.yaml", tmp_path / "run"
    teach.write_text(yaml.safe_dump(TEACH))
    hide = ["--anonymize", "true", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    images = ["--data.image_dir", str(named / "images")]
    fit = fit_words(named, tiny, root, "--config", str(teach), "--data.val_json", str(named / "jane_test.json"), *hide)
    fit[fit.index("--data.train_json") + 1] = str(named / "jane_train.json")
    fit[fit.index("--wandb") + 1] = "offline"
    known = ["--ckpt_path", str(root / "checkpoints" / "best.ckpt"), *hide]
    said = carcloc(fit)
    said += carcloc(["test", *known, *images, "--data.test_json", str(named / "jane_test.json")])
    said += carcloc(["predict", *known, "--data.predict_source", str(named / "images")])
    said += carcloc(["calibrate", *known, *images, "--data.val_json", str(named / "jane_test.json")])
    assert not SECRET.search(said), SECRET.search(said)
    files = [path for path in root.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".ckpt", ".wandb", ".csv", ".json", ".png", ".yaml", ".log"} <= kinds
    for path in files:
        assert not SECRET.search(str(path.relative_to(root)).encode()), path
        found = SECRET.search(contents(path))
        assert not found, (path, contents(path)[max(0, found.start() - 100) : found.end() + 50])
        assert path.suffix != ".wandb" or str(Path.home()).encode() not in contents(path), path  # who calls it


def test_without_the_flag_names_are_written_where_they_are_of_use(carcloc, named, fitted, tmp_path):
    """The test above can fail: predictions that one wants to find again hold the names."""
    words = ["--ckpt_path", str(fitted), "--data.predict_source", str(named / "images"), "--data.num_workers", "0"]
    carcloc(["predict", *words, "--trainer.default_root_dir", str(tmp_path / "run"), "--trainer.accelerator", "cpu"])
    assert SECRET.search((tmp_path / "run" / "predictions" / "images.json").read_bytes())
