"""Each signature of a failure, provoked; and a sound run, of which nothing is said."""

import pytest

from carcinosis_loc.diagnosis import diagnose

SOUND = {
    "f1": 0.85, "best_f1": 0.87, "threshold": 0.3, "best_threshold": 0.27, "max_probability": 0.9,
    "match_radius_px": 6.0, "localisation_error_px": 1.1, "f1@3px": 0.8, "f1@9px": 0.87, "n_images": 3, "n_points": 90,
}  # fmt: skip
SPARSE = {
    "f1": None, "best_f1": None, "threshold": 0.3, "best_threshold": None, "max_probability": 0.9,
    "match_radius_px": 6.0, "recall_on_labelled": 0.9, "predicted_per_frame": 30.0,
    "sparse_n_labelled": 50, "sparse_n_images": 10,
}  # fmt: skip


def rows(n_points=30, n_predicted=28, count=3):
    return [{"n_points": n_points, "n_predicted": n_predicted}] * count


def test_a_sound_run_is_left_in_peace():
    assert diagnose(SOUND, rows(), 300) == []
    assert diagnose(SPARSE, rows(5, 30, 10), 300) == []
    assert diagnose(SPARSE | {"estimated_objects_per_frame": 36.0}, rows(5, 30, 10), 300) == []
    assert diagnose(SOUND | {"precision": 0.9, "recall": 0.85}, rows(), 300) == []
    assert diagnose(SOUND, [], 300) == []


@pytest.mark.parametrize(
    ("metrics", "table", "top_k", "says", "remedy"),
    [
        (SOUND | {"f1": 0.0, "best_f1": 0.02, "max_probability": 0.05}, rows(30, 0), 300, "maps are empty", "prior"),
        (SOUND | {"f1": 0.03, "best_f1": 0.05, "f1@9px": 0.05}, rows(3, 120), 300, "Peaks are everywhere", "lambda"),
        (
            SOUND | {"f1": 0.28, "threshold": 0.5, "f1@9px": 0.29},
            rows(30, 5),
            300,
            "0.870 at 0.270",
            "carcloc calibrate",
        ),
        (SPARSE | {"predicted_per_frame": 5.5}, rows(5, 5, 10), 300, "5.0 labels", "copy_paste"),
        (
            SOUND | {"f1": 0.21, "best_f1": 0.25, "precision": 0.123, "recall": 0.9, "f1@9px": 0.22},
            rows(5, 36),
            300,
            "7 other peaks",
            "Are all objects marked",
        ),
        (SPARSE | {"estimated_objects_per_frame": 70.0}, rows(5, 30, 10), 300, "too high", "carcloc calibrate"),
        (SPARSE | {"estimated_objects_per_frame": 14.0}, rows(5, 30, 10), 300, "too low", "carcloc audit"),
        (SOUND, rows(36, 30), 30, "3 of 3 frames", "top_k = 30"),
        (SOUND, rows(400, 290), 300, "3 of 3 frames", "Raise it"),
        (SOUND | {"f1@9px": 0.97}, rows(), 300, "0.970 at 9 px", "radius"),
        (SOUND | {"localisation_error_px": 4.2}, rows(), 300, "mean error 4.2 px", "radius"),
    ],
    ids=[
        "empty",
        "flood",
        "threshold",
        "labelled only",
        "not marked in full",
        "threshold high",
        "threshold low",
        "k too low",
        "more points than k",
        "radius",
        "coarse",
    ],
)
def test_each_signature_is_named_with_its_remedy(metrics, table, top_k, says, remedy):
    (finding,) = diagnose(metrics, table, top_k)
    assert says in finding
    assert remedy in finding


def test_an_empty_map_hides_what_follows_from_it():
    low = SOUND | {"f1": 0.0, "best_f1": 0.2, "max_probability": 0.04, "localisation_error_px": 5.0}
    assert len(diagnose(low, rows(), 20)) == 1


def test_low_scores_that_rank_well_are_a_matter_of_the_threshold():
    """Heatmap MSE on sparse labels: no score above 0.1, and yet most objects can be found."""
    (finding,) = diagnose(
        SOUND | {"f1@9px": 0.0, "f1": 0.0, "best_f1": 0.81, "max_probability": 0.06}, rows(30, 0), 300
    )
    assert "threshold is off" in finding
