"""A fit of seconds: demo.yaml with fewer layers on small crops, without workers."""

TINY = {
    "trainer": {"accelerator": "cpu", "log_every_n_steps": 1},
    "model": {
        "net": {
            "class_path": "carcinosis_loc.models.HeatmapNet",
            "init_args": {"backbone": {"class_path": "carcinosis_loc.models.HRNet", "init_args": {"blocks": 1}}},
        }
    },
    "data": {
        "num_workers": 0,
        "batch_size": 4,
        "samples_per_epoch": 48,
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
