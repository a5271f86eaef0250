"""W32 at 1280 x 720 on a GPU, end to end; without one there is nothing to measure."""

import numpy as np
import torch
from predict import checkpoint, draw, ours

FRAMES = 320
OPTIONS = ["--trainer.accelerator", "gpu", "--trainer.devices", "1", "--trainer.precision", "bf16-mixed"]
OPTIONS += ["--data.num_workers", "8", "--data.batch_size", "8"]


def measure(folder):
    if not torch.cuda.is_available():
        print("gpu: no CUDA device here, so nothing is measured")
        return []
    random, rows = np.random.default_rng(0), []
    path = checkpoint(folder, ["hrnet_cat.yaml"], random)
    draw(folder / "images", (720, 1280), FRAMES, random)
    for name, more in (("eager", []), ("compiled", ["--inference.compile", "true"])):
        for pictures in ("true", "false"):
            words = [*OPTIONS, *more, "--predictions.overlays", pictures]
            ours(path, folder / "images", folder / "warm", words)
            seconds, watch = ours(path, folder / "images", folder / "ours", words)
            shares = {
                f"{part}_share": watch.spent[part] / seconds for part in ("decoding", "network", "post", "writing")
            }
            what = f"predict, W32, 1280 x 720, {torch.cuda.get_device_name()}, {name}, overlays {pictures}"
            post = 1000 * watch.spent["post"] / FRAMES
            rows.append(
                {"what": what, "ours_ms": 1000 * seconds / FRAMES, "fps": FRAMES / seconds, "post_ms": post, **shares}
            )
    return rows
