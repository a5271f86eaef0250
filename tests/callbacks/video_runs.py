"""``PredictionFiles`` run on videos, and its files read back."""

import csv
import json
import threading

import pytest
from bright import bright_module, quiet_trainer

from carcinosis_loc.callbacks.predictions import PredictionFiles
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.writers.overlays import OverlayVideos


def predict(source, root, module=None, data=None, trainer=None, **options):
    datamodule = PointDataModule(predict_source=str(source), batch_size=4, num_workers=0, **(data or {}))
    datamodule.check("predict")
    callback = PredictionFiles(**options)
    quiet_trainer(root, callback, **(trainer or {})).predict(module or bright_module(threshold=0.3), datamodule)
    return root / "predictions"


def json_of(folder, name):
    return json.loads((folder / f"{name}.json").read_text())


def rows_of(folder, name="points"):
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(folder):
    """All files by their bytes; when a run was is none of its results."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    origin = json.loads(files.pop("provenance.json"))
    origin.pop("created")
    return files | {"provenance": origin}


def broken_off(clip, root, monkeypatch, **options):
    """Leave two finished chunks."""
    with monkeypatch.context() as patch:
        drawn = []

        def fail(writer, found):
            drawn.append(found)
            if len(drawn) == 25:
                raise OSError(28, "No space left on device")

        patch.setattr(OverlayVideos, "frame", fail)
        with pytest.raises(OSError, match="No space"):
            predict(clip, root, **options)


def feed(pipe, data, then=lambda: None):
    """Write in a thread: the pipe holds less than the data."""

    def write():
        pipe.write(data)
        pipe.flush()
        then()

    threading.Thread(target=write, daemon=True).start()
