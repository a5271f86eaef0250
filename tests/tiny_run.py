"""A fit of seconds: demo.yaml on small crops, without workers."""

TINY = {
    "trainer": {"accelerator": "cpu", "log_every_n_steps": 1},
    "data": {
        "num_workers": 0,
        "batch_size": 4,
        "train_transform": {"class_path": "carcinosis_loc.data.TrainTransform", "init_args": {"crop_size_px": 48}},
    },
}


def fit_words(spots, tiny, root, *more):
    return [
        "fit",
        *("--config", "demo.yaml", "--config", tiny, "--trainer.default_root_dir", str(root)),
        *("--trainer.max_epochs", "2", "--wandb", "off"),
        *("--data.image_dir", str(spots / "images"), "--data.train_json", str(spots / "train.json")),
        *more,
    ]
