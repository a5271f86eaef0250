from types import SimpleNamespace

from carcinosis_loc.callbacks.origin import provenance
from carcinosis_loc.look import Look
from carcinosis_loc.metrics import Calibration
from carcinosis_loc.metrics.probability import ScoreScale


def test_a_calibrated_model_tells_how_its_scores_read_as_probabilities():
    calibration = Calibration(0.3, "valley", 2, 10, ScoreScale(2.0, 1.0))
    decoder = SimpleNamespace(threshold=None, score_floor=0.001)
    module = SimpleNamespace(
        exported_from=None,
        exported_checkpoint_sha256=None,
        threshold=0.3,
        decoder=decoder,
        match_radius_px=6.0,
        calibration=calibration,
        look=Look(4, (1.0, 1.5)),
    )
    trainer = SimpleNamespace(ckpt_path=None, datamodule=None)
    told = provenance(trainer, module, anonymize=False)
    assert told["score_scale"] == [2.0, 1.0]
    assert told["threshold_rule"] == str(calibration)
    assert (told["views"], told["scales"]) == (4, [1.0, 1.5])
    module.calibration = None
    assert provenance(trainer, module, anonymize=False)["score_scale"] is None
