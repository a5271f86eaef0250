"""What a parser says of a wrong value, in words; and that the parser in use says what we know how to read."""

import pytest
from tiny_run import fit_words

from carcinosis_loc.cli import main
from carcinosis_loc.wording import in_plain_words

UNION = """Parser key "data.asked_per_frame":
  Does not validate against any of the Union subtypes
  Subtypes: [<class 'int'>, <class 'NoneType'>]
  Errors:
    - Expected a <class 'int'>
    - Expected a <class 'NoneType'>
  Given value type: <class 'str'>
  Given value: five"""


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (UNION, '"data.asked_per_frame" must be a whole number or null, not five'),
        (f"a.yaml: {UNION}", 'a.yaml: "data.asked_per_frame" must be a whole number or null, not five'),
        ("Parser key \"x\": Expected a <class 'int'>. Got value: 1.5", '"x" must be a whole number, not 1.5'),
        ('Parser key "x": something\nelse', 'Parser key "x": something else'),
        (
            "Parser key \"x\": Expected a <class 'torch.Tensor'>. Got value: 1",
            "Parser key \"x\": Expected a <class 'torch.Tensor'>. Got value: 1",
        ),
        ("no key at all", "no key at all"),
        (
            "Parser key \"x\": Does not validate against any of the Union subtypes Subtypes: [<class 'str'>, "
            "list[int], collections.abc.Sequence[float], <class 'NoneType'>] Errors: - x Given value: {'a': 1}",
            "\"x\" must be a text, a list or null, not {'a': 1}",
        ),
    ],
)
def test_what_is_known_is_put_in_words_and_all_else_stays(message, words):
    assert in_plain_words(message) == words


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("data.asked_per_frame", "five", '"data.asked_per_frame" must be a whole number or null, not five'),
        ("model.labels_at_random", "maybe", '"model.labels_at_random" must be true, false or null, not maybe'),
        ("data.image_size", "[1, a]", "\"data.image_size\" must be two whole numbers or null, not [1, 'a']"),
        ("data.batch_size", "1.5", '"data.batch_size" must be a whole number, not 1.5'),
        ("model.extra_radii_px", "x", '"model.extra_radii_px" must be a list, not x'),
        ("wandb", "maybe", '"wandb" must be offline, online or off, not maybe'),
        ("model.loss.lam", "high", '"model.loss.lam" must be a number, not high'),
        ("model.decoder.threshold", "low", '"model.decoder.threshold" must be a number or null, not low'),
        ("model.optimizer", "Adamm", '"model.optimizer" must name a class by its import path'),
        ("trainer.callbacks", "nope", '"trainer.callbacks" must name a class by its import path'),
    ],
)
def test_a_value_of_another_kind_is_told_in_words(option, value, words, spots, tiny, tmp_path, capsys):
    assert main(fit_words(spots, tiny, tmp_path / "out", f"--{option}", value)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not (tmp_path / "out").exists()
