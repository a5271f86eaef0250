"""What a run found, in words for a person: ``python -m carcinosis_loc.summary RUN_FOLDER``."""

import json
import sys
from pathlib import Path
from typing import Any

# What a person wants first, and in which words.
_TABLE = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "best_f1": "best F1 (at best threshold)",
    "best_threshold": "best threshold",
    "average_precision": "average precision",
    "localisation_error_px": "localisation error, px",
    "count_mae": "count error a frame",
    "recall_on_labelled": "recall on labelled points",
    "predicted_per_frame": "predicted points a frame",
    "estimated_objects_per_frame": "objects a frame, estimated",
}


def table(metrics: dict[str, Any]) -> str:
    """The figures of a ``metrics.json`` as lines."""
    lines = [
        f"{metrics['n_images']} exhaustive frames, {metrics['n_points']} points, "
        f"threshold {metrics['threshold']:.3f}, match radius {metrics['match_radius_px']:g} px"
    ]
    if metrics["f1"] is None:
        lines.append(
            "No frame is marked exhaustive: precision and F1 cannot be told from sparse labels; "
            "estimates hold if labels are missing at random."
        )
    shown = {label: metrics[name] for name, label in _TABLE.items() if metrics.get(name) is not None}
    if not metrics.get("estimated_objects_per_frame"):  # too few labels were found to tell
        shown.pop(_TABLE["estimated_objects_per_frame"], None)
    if metrics["recall"] == 0:  # no point was found, so none was found so near
        shown.pop(_TABLE["localisation_error_px"], None)
    shown |= {name.replace("f1@", "F1 at "): value for name, value in metrics.items() if name.startswith("f1@")}
    width = max(map(len, shown), default=0)
    return "\n".join(lines + [f"  {label:<{width}}  {value:8.3f}" for label, value in shown.items()])


def summary(run: Path) -> str:
    """The table of a tested run and the paths of its pictures."""
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    pictures = sorted(run.glob("pictures/*.png")) + sorted(run.glob("predictions/overlays/*.png"))[:3]
    return "\n".join([table(metrics), "pictures:", *(f"  {path}" for path in pictures)])


if __name__ == "__main__":
    print(summary(Path(sys.argv[1])))
