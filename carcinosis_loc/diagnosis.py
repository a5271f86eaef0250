"""What a run's figures say is wrong, in plain words, with the remedy."""

from collections.abc import Mapping, Sequence
from typing import Any

Metrics = Mapping[str, Any]
Row = Mapping[str, Any]

FULL_FROM = 0.95  # of top_k: a few of the best peaks may have been suppressed
SILENT_BELOW = 0.1  # no score above this: the map is as good as empty
THRESHOLD_GAP = 0.05  # of F1, between the threshold in use and the best one
UNLIKELY = 2.0  # peaks over objects that labels imply, or the other way round: a threshold far from the best
RADIUS_GAP = 0.1  # of F1, between the match radius and a wider one
COARSE = 0.6  # localisation error over match radius from which the radius cuts into it
FLOOD = 10.0  # peaks over points from which maps are everything


def diagnose(metrics: Metrics, rows: Sequence[Row], top_k: int) -> list[str]:
    """Findings about a tested or validated model, the most basic first; none if nothing is conspicuous.

    Args:
        metrics: as in ``metrics.json``.
        rows: as in ``per_image.csv``.
        top_k: most peaks that the decoder keeps in a frame.
    """
    if not rows:
        return []
    silent = _silent(metrics)
    if silent:
        return [silent]  # all else follows from it
    checks = (_flooded, _not_whole, _threshold_off, _threshold_unlikely, _only_labelled, _top_k_low, _radius_small)
    findings = (check(metrics, rows, top_k) for check in checks)
    return [finding for finding in findings if finding]


def _silent(metrics: Metrics) -> str | None:
    highest = metrics.get("max_probability", 1.0)
    if highest >= SILENT_BELOW or _value(metrics, "best_f1") > 0.3 or _value(metrics, "recall_on_labelled") > 0.3:
        return None
    return (
        f"The maps are empty: no score is above {highest:.3f}. Train longer; check in pictures/ that the labels lie on "
        "the objects; set model.net.prior near the share of cells that is object; raise the learning rate."
    )


def _flooded(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    predicted, points = _total(rows, "n_predicted"), _total(rows, "n_points")
    if metrics["f1"] is None or predicted <= FLOOD * max(1, points) or _value(metrics, "best_f1") > 0.5:
        return None
    return (
        f"Peaks are everywhere: {predicted / len(rows):.0f} a frame, where {points / len(rows):.1f} are true. "
        "The model takes background for objects: raise lambda of the loss, train longer, or add frames without objects."
    )


def _threshold_off(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    if metrics["f1"] is None or metrics["best_f1"] - metrics["f1"] <= THRESHOLD_GAP:
        return None
    return (
        f"The threshold is off: F1 is {metrics['f1']:.3f} at {metrics['threshold']:.3f}, and {metrics['best_f1']:.3f} "
        f"at {metrics['best_threshold']:.3f}. Choose it on validation data, best with a few exhaustive frames: carcloc "
        "audit picks them, carcloc calibrate --ckpt_path C --data.image_dir D --data.val_json V chooses. (The best "
        "threshold of a test set is not for use on it.)"
    )


def _not_whole(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    recall, precision = _value(metrics, "recall"), _value(metrics, "precision")
    if metrics["f1"] is None or recall < 0.8 or not 0 < precision <= 0.4 or metrics["best_f1"] > 0.6:
        return None
    return (
        f"On exhaustive frames {recall:.0%} of the labels are found, and {1 / precision - 1:.0f} other peaks for each. "
        "Are all objects marked there? If not, precision, F1 and a threshold chosen by them are wrong: add the others, "
        'or take "exhaustive" off the frames.'
    )


def _threshold_unlikely(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    expected, predicted = _value(metrics, "estimated_objects_per_frame"), _value(metrics, "predicted_per_frame")
    if not expected or expected / UNLIKELY <= predicted <= expected * UNLIKELY:
        return None
    return (
        f"On sparse frames {predicted:.1f} peaks a frame pass the threshold ({metrics['threshold']:.3f}), and the "
        f"labels imply {expected:.1f} objects a frame if they are missing at random: the threshold looks too "
        f"{'high' if predicted < expected else 'low'}, or the labels are on the conspicuous. Choose it anew with "
        "carcloc calibrate; carcloc audit picks frames that would settle it."
    )


def _only_labelled(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    labelled, images = _value(metrics, "sparse_n_labelled"), _value(metrics, "sparse_n_images")
    if labelled < 20 or _value(metrics, "recall_on_labelled") < 0.7:
        return None
    if _value(metrics, "predicted_per_frame") > 1.3 * labelled / images:
        return None
    return (
        f"Hardly more is found than is labelled ({metrics['predicted_per_frame']:.1f} peaks a frame, "
        f"{labelled / images:.1f} labels): the model has learnt the labelled objects only, or the threshold is too "
        "high, or everything is labelled. If it is, mark the frames exhaustive; if not, lower the threshold or let "
        "carcloc calibrate choose it, and train with --data.train_transform.copy_paste carcinosis_loc.data.CopyPaste."
    )


def _top_k_low(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    full = sum(row["n_points"] > top_k or row["n_predicted"] >= FULL_FROM * top_k for row in rows)
    if not full:
        return None
    return f"{full} of {len(rows)} frames reach model.decoder.top_k = {top_k}: what lies beyond is lost. Raise it."


def _radius_small(metrics: Metrics, rows: Sequence[Row], top_k: int) -> str | None:
    if metrics["f1"] is None:
        return None
    radius_px, error_px = metrics["match_radius_px"], _value(metrics, "localisation_error_px")
    wider = {name: value for name, value in metrics.items() if name.startswith("f1@") and _px(name) > radius_px}
    gains = {name: value for name, value in wider.items() if value - metrics["f1"] > RADIUS_GAP}
    if not gains and error_px <= COARSE * radius_px:
        return None
    gain = "".join(f"; F1 is {value:.3f} at {_px(name):g} px" for name, value in gains.items())
    return (
        f"The match radius of {radius_px:g} px is small for how exactly places are known (mean error {error_px:.1f} px"
        f"{gain}): labels or peaks are off centre. Check a few labels; a smaller sigma_px gives sharper peaks; "
        "or choose a radius that fits the objects."
    )


def _value(metrics: Metrics, name: str) -> float:
    value = metrics.get(name)
    return 0.0 if value is None else float(value)


def _total(rows: Sequence[Row], name: str) -> int:
    return sum(int(row[name]) for row in rows)


def _px(name: str) -> float:
    return float(name.removeprefix("f1@").removesuffix("px"))
