"""Command lines that tests of several commands share, and what a refusal looks like."""

import json


def scoring_words(spots, root, *more):
    return [
        *("test", "--ckpt_path", str(root / "checkpoints" / "best.ckpt"), "--wandb", "off"),
        *("--data.image_dir", str(spots / "images"), "--data.test_json", str(spots / "test.json")),
        *("--data.num_workers", "0", "--trainer.accelerator", "cpu", *more),
    ]


def calibrate_words(spots, root, labels):
    words = scoring_words(spots, root, "--data.val_json", str(spots / labels))
    return ["calibrate", *words[1:]]


def assert_refused(code, capsys, *named):
    err = capsys.readouterr().err
    assert code == 2, err
    assert err.count("\n") == 1, err
    for name in named:
        assert name in err


def change(source, edit):
    data = json.loads(source.read_text())
    edit(data)
    return json.dumps(data)


def first_image(**values):
    def edit(data):
        for key, value in values.items():
            data["images"][0].pop(key) if value is None else data["images"][0].update({key: value})

    return edit
