"""A small study, one with data of its own, and a stand-in for the command line."""

import json

import yaml

from carcinosis_loc.study import write_report

STUDY = {
    "format": 1,
    "config": "demo.yaml",
    "options": {"wandb": "off", "data.image_dir": "images"},
    "factors": {
        "loss": {"mse": {"model.loss": "carcinosis_loc.losses.HeatmapMSE"}, "hill": {"model.loss.lam": 1.0}},
        "seed": {"0": {"seed_everything": 0}, "1": {"seed_everything": 1}},
    },
}


def written(path, content):
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


class Fake:
    """Stands for the command line: keeps what it was told, and leaves the files that a run leaves."""

    def __init__(self, fails=()):
        self.told, self.fails = [], fails

    def __call__(self, words, log):
        self.told.append(words)
        folder = log.parent
        log.write_text("output\n")
        if any(name in str(folder) for name in self.fails):
            return 1
        (folder / "checkpoints").mkdir(exist_ok=True)
        if words[0] == "fit":
            (folder / "checkpoints" / "last.ckpt").touch()
            (folder / "checkpoints" / "best.ckpt").touch()
        if words[0] == "test":
            better = 10 if "hill" in str(folder) else 6
            figures = dict.fromkeys(("best_f1", "average_precision", "precision", "recall"), 0.9)
            metrics = figures | {"threshold": 0.3, "best_threshold": 0.2, "f1": better / 12}
            (folder / "metrics.json").write_text(json.dumps(metrics))
            rows = "\n".join(f"{i}.png,p{i % 3},{better // 2},{better},6" for i in range(9))
            (folder / "per_image.csv").write_text(f"file_name,group,tp,n_predicted,n_points\n{rows}\n")
        return 0


WITH_DATA = STUDY | {
    "prepare": ["synth {out}/data --n-train 4", "thin {marks}/all.json {out}/few.json --per-frame 2"],
    "reference": {"labels": "all"},
    "factors": {
        "labels": {"few": {"data.train_json": "{out}/few.json"}, "all": {"data.train_json": "{marks}/all.json"}},
        "seed": {"0": {"seed_everything": 0}, "1": {"seed_everything": 1}},
    },
}


def report(plan, out):
    return write_report(plan, out)[1].read_text()
