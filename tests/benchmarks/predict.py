"""``carcloc predict`` end to end on image files, against the plain way; and where its time goes."""

import shutil
import statistics
import sys
import time
from contextlib import contextmanager
from unittest import mock

import cv2
import numpy as np
import plain
import torch
from timing import scattered
from tqdm import tqdm

import carcinosis_loc
from carcinosis_loc.callbacks import PredictionFiles
from carcinosis_loc.cli import main
from carcinosis_loc.data.dataset import PointDataset
from carcinosis_loc.heatmap import PeakDecoder
from carcinosis_loc.models import HeatmapNet
from carcinosis_loc.recipe import build, load_net, read_checkpoint, read_recipe
from carcinosis_loc.writers import PredictionSession

TOP_K = 100
CASES = (  # name, configs, (height, width), images, repeats
    ("small network, 640 x 360", ["demo.yaml"], (360, 640), 24, 3),
    ("W18, 640 x 360", ["hrnet_cat.yaml", "hrnet_w18.yaml"], (360, 640), 16, 3),
    ("W32, 1280 x 720", ["hrnet_cat.yaml"], (720, 1280), 4, 1),
)
QUIET = ["--data.num_workers", "0", "--trainer.enable_progress_bar", "false"]
ON_CPU = ["--trainer.accelerator", "cpu", *QUIET]
NO_PICTURES = ["--predictions.overlays", "false", "--predictions.key_frames", "false"]  # the plain way draws none


def draw(folder, size, count, random):
    """PNG files: bright discs on noisy red."""
    folder.mkdir(parents=True)
    for number in range(count):
        image = np.full((*size, 3), (50, 60, 150), np.float32) + random.normal(0, 8, (*size, 1))
        for x, y in scattered(TOP_K, size, random):
            cv2.circle(image, (round(x), round(y)), 3, (190, 210, 230), -1, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{number:03}.png"), image.clip(0, 255).astype(np.uint8))
    return sorted(folder.iterdir())


def checkpoint(folder, configs, random):
    """One step of training, so that there is a checkpoint of this network."""
    draw(folder / "train", (64, 64), 1, random)
    label = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [30, 30, 2]}
    images = [{"id": 1, "file_name": "000.png", "width": 64, "height": 64}]
    (folder / "train.json").write_text(
        str({"images": images, "annotations": [label], "categories": [{"id": 1, "name": "n"}]}).replace("'", '"')
    )
    words = ["fit", *(word for config in configs for word in ("--config", config)), *QUIET, "--wandb", "off"]
    words += ["--trainer.default_root_dir", str(folder / "run"), "--trainer.max_epochs", "1", "--data.batch_size", "2"]
    words += ["--data.samples_per_epoch", "2", "--data.image_size", "null"]
    data = ["--data.image_dir", str(folder / "train"), "--data.train_json", str(folder / "train.json")]
    assert main([*words, *data, "--trainer.accelerator", "cpu"]) == 0
    return folder / "run" / "checkpoints" / "last.ckpt"


class Watch:
    """Seconds of CPU time spent inside of methods, by name, while it is open; of wall time on a GPU."""

    def __init__(self):
        cuda = torch.cuda.is_available()
        self.clock, self.clock_of_thread = (gpu_time,) * 2 if cuda else (time.process_time, time.thread_time)
        self.spent = {"decoding": 0.0, "network": 0.0, "post": 0.0, "writing": 0.0, "start": 0.0, "end": 0.0}
        self.began = self.ended = 0.0

    def timed(self, name, method):
        def watched(*args, **kwargs):
            if method is START:
                self.began = self.clock()
            began = self.clock_of_thread()
            result = method(*args, **kwargs)
            self.spent[name] += self.clock_of_thread() - began
            self.ended = self.clock()
            return result

        return watched

    @contextmanager
    def open(self):
        with (
            mock.patch.object(PointDataset, "__getitem__", self.timed("decoding", PointDataset.__getitem__)),
            mock.patch.object(HeatmapNet, "forward", self.timed("network", HeatmapNet.forward)),
            mock.patch.object(PeakDecoder, "__call__", self.timed("post", PeakDecoder.__call__)),
            mock.patch.object(PredictionSession, "take", self.timed("writing", PredictionSession.take)),
            mock.patch.object(PredictionSession, "write", self.timed("writing", PredictionSession.write)),
            mock.patch.object(PredictionFiles, "on_predict_start", self.timed("start", START)),
            mock.patch.object(PredictionFiles, "on_predict_end", self.timed("end", END)),
        ):
            yield self


START, END = PredictionFiles.on_predict_start, PredictionFiles.on_predict_end


def gpu_time():
    torch.cuda.synchronize()
    return time.perf_counter()


def ours(path, images, root, more):
    """Seconds from the start of predicting to the end, and a ``Watch`` on its parts."""
    shutil.rmtree(root, ignore_errors=True)
    words = ["predict", "--ckpt_path", str(path), "--data.predict_source", str(images)]
    words += ["--trainer.default_root_dir", str(root), "--model.decoder.top_k", str(TOP_K)]
    with Watch().open() as watch:
        assert main([*words, "--model.decoder.threshold", "0", "--model.decoder.score_floor", "0", *more]) == 0
    return watch.ended - watch.began, watch


def plain_net(path):
    content, recipe = read_checkpoint(path), read_recipe(path)
    net = build(path, recipe.settings, "net", HeatmapNet)
    load_net(path, content, net)
    return net.eval()


def case(folder, name, configs, size, count, repeats, random):
    path = checkpoint(folder, configs, random)
    images = draw(folder / "images", size, count, random)
    net = plain_net(path)
    mine, other = [], []
    for repeat in range(repeats):
        mine.append(ours(path, folder / "images", folder / "ours", [*ON_CPU, *NO_PICTURES])[0])
        began = time.process_time()
        plain.predict(net, images, folder / f"plain_{repeat}", 0.0, 4.0, TOP_K)
        other.append(time.process_time() - began)
    seconds, watch = ours(path, folder / "images", folder / "ours", ON_CPU)  # as it comes: with overlays and key frames
    whole = {"with_pictures_ms": 1000 * seconds / count}
    points = len((folder / "ours" / "predictions" / "points.csv").read_text().splitlines()) - 1
    took = {"ours_ms": 1000 * statistics.median(mine) / count, "plain_ms": 1000 * statistics.median(other) / count}
    shares = {f"{part}_share": watch.spent[part] / seconds for part in ("decoding", "network", "post", "writing")}
    return {
        "what": f"predict, {name}",
        **took,
        "fps": 1000 / took["ours_ms"],
        "peaks": points / count,
        **whole,
        **shares,
    }


def localizer(folder, random):
    """``carcinosis_loc.load`` folds batch norms; what that is worth on one image, in seconds of the CPU."""
    path, (image,) = folder / "run" / "checkpoints" / "last.ckpt", draw(folder / "one", (360, 640), 1, random)
    find, net = carcinosis_loc.load(path), plain_net(path)
    pixels = torch.from_numpy(cv2.imread(str(image))).permute(2, 0, 1)[None].contiguous()
    times = {"ours": [], "plain": []}
    for _ in range(12):
        for way, one in (("ours", find.net), ("plain", net)):
            began = time.process_time()
            with torch.inference_mode():
                one(pixels)
            times[way].append(time.process_time() - began)
    took = {f"{way}_ms": 1000 * statistics.median(values) for way, values in times.items()}
    return {"what": "batch norms folded or not, small network, 640 x 360, CPU time", **took}


def measure(folder):
    random, rows = np.random.default_rng(0), []
    for number, (name, configs, size, count, repeats) in enumerate(tqdm(CASES, desc="predict", file=sys.stdout)):
        rows.append(case(folder / str(number), name, configs, size, count, repeats, random))
    return [*rows, localizer(folder / "0", random)]
