"""Results on disk and on the screen: ``metrics.json``, ``per_image.csv``, a table and what it says is wrong."""

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.callbacks.processes import from_all_processes
from carcinosis_loc.detector import Detections
from carcinosis_loc.diagnosis import diagnose
from carcinosis_loc.files import write_json, write_text
from carcinosis_loc.metrics import per_image
from carcinosis_loc.module import PointModule
from carcinosis_loc.summary import table

Row = dict[str, Any]

_MOST_STEPS = 400


class ResultFiles(Callback):
    """After a test: ``metrics.json``, ``per_image.csv`` and ``curve.json`` in the run's folder, a table on the screen.

    ``curve.json`` holds precision, recall and F1 at thresholds, from the highest down; no step where no frame is
    exhaustive. After ``validate`` the names end in ``_validate``. They are written at the end and whole: a run that
    breaks leaves none that look complete.
    """

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def on_test_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew."""
        self._rows = []

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Keep a row for each frame."""
        assert isinstance(pl_module, PointModule)
        self._rows += _rows(outputs, pl_module)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write everything."""
        self._write(trainer, pl_module, "")

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew."""
        self._rows = []

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:
        """Keep a row for each frame, where the command is validate."""
        assert isinstance(pl_module, PointModule)
        if trainer.state.fn == "validate":
            self._rows += _rows(outputs, pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write everything, where the command is validate."""
        if trainer.state.fn == "validate":
            self._write(trainer, pl_module, "_validate")

    def _write(self, trainer: Trainer, module: LightningModule, suffix: str) -> None:
        assert isinstance(module, PointModule)
        rows = sorted(from_all_processes(self._rows), key=lambda row: row["image_id"])
        if not trainer.is_global_zero:
            return
        root = Path(trainer.default_root_dir)
        metrics = _summary(module)
        write_json(root / f"curve{suffix}.json", _curve(module))
        table_path = root / f"per_image{suffix}.csv"
        write_text(table_path, _as_csv(rows))
        try:
            write_json(root / f"metrics{suffix}.json", metrics, indent=2)
        except OSError:
            table_path.unlink()
            raise
        print(table(metrics))
        if module.decoder.threshold is None and module.calibration is not None:
            print(f"threshold: {module.calibration}")
        for finding in diagnose(metrics, rows, module.decoder.top_k):
            print(f"! {finding}")
        print(f"metrics: {root / f'metrics{suffix}.json'}\nframes:  {root / f'per_image{suffix}.csv'}")


def _rows(found: Detections, module: PointModule) -> list[Row]:
    rows = []
    for frame, peaks in zip(found.frames, found.peaks, strict=True):
        names = {"image_id": frame.image_id, "file_name": frame.file_name, "group": frame.group}
        figures = asdict(per_image(peaks, frame, module.match_radius_px, module.threshold))
        if not frame.exhaustive:  # a peak without a label may have found an object that nobody labelled
            figures |= dict.fromkeys(("fp", "f1", "precision"))
        rows.append(names | {"exhaustive": bool(frame.exhaustive)} | figures)
    return rows


def _summary(module: PointModule) -> dict[str, Any]:
    """All figures; F1 and its kin are null where no frame is exhaustive, since then nothing can support them."""
    fixed = dict.fromkeys(("f1", "precision", "recall", "best_f1", "best_threshold", "average_precision"))
    counts = {"n_images": 0, "n_points": 0}
    values: dict[str, Any] = {**fixed, **counts, **module.results}
    values |= {"threshold": module.threshold, "match_radius_px": module.match_radius_px}
    values |= {"views": module.look.views, "scales": list(module.look.scales)}
    return {name: int(v) if name.startswith(("n_", "sparse_n_")) and v is not None else v for name, v in values.items()}


def _curve(module: PointModule) -> dict[str, Any]:
    """The curve, thinned evenly in its steps where it is long."""
    steps = module.point_f1.curve if module.results.get("n_images", 0) > 0 else None
    rows = np.zeros((0, 4)) if steps is None else np.stack(list(vars(steps).values()), axis=1)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MOST_STEPS)).round().astype(int))
    names = ("thresholds", "precision", "recall", "f1")
    columns = dict(zip(names, rows[chosen].T.round(6).tolist(), strict=True))
    rule = "given by hand" if module.decoder.threshold is not None else module.calibration and str(module.calibration)
    return {"threshold_rule": rule, **columns}


def _as_csv(rows: list[Row]) -> str:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
