"""`make chaos`: the memory of long runs over time, as CSV and a plot, and of label files over their size.

    python tests/chaos/memory.py OUT_DIR [--images 20000] [--points 5000000] [--megabytes 1000] [--parts fit ...]
    python tests/chaos/memory.py OUT_DIR --parts video [--minutes 30] [--ckpt best.ckpt]

Each part runs carcloc in a process of its own, whose memory (of all its processes, without libraries) is looked at
every half second. Predict and test need the checkpoint of fit, and video where none is given; the plot needs all three.
The video is one of ``carcloc synth``, and done only where it is asked for.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_run import TINY

matplotlib.use("Agg")
from matplotlib import pyplot

SIZE_PX = 32
CARCLOC = [sys.executable, "-m", "carcinosis_loc"]
READ = "import sys, time; from carcinosis_loc.annotations.coco import read_coco; began = time.process_time(); "
READ += "frames = read_coco(sys.argv[1], '', check_images=False); print(time.process_time() - began, len(frames))"


PARTS = ("fit", "predict", "test", "plot", "labels")
VIDEO_FPS = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=20_000, help="for fit and predict")
    parser.add_argument("--points", type=int, default=5_000_000, help="for test")
    parser.add_argument("--megabytes", type=int, default=1000, help="of the largest label file")
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, "video"), default=PARTS)
    parser.add_argument("--minutes", type=float, default=30, help="length of the video")
    parser.add_argument("--ckpt", type=Path, help="checkpoint for the video; that of fit without it")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if set(options.parts) & {"fit", "predict", "test"}:
        draw_frames(options.out / "data", options.images, options.points)
    sound = [watch(part, options.out, options.images) for part in ("fit", "predict", "test") if part in options.parts]
    if "video" in options.parts:
        checkpoint = options.ckpt or options.out / "fit" / "checkpoints" / "best.ckpt"
        sound.append(watch_video(options.out, options.minutes, checkpoint))
    if "plot" in options.parts:
        plot_lines(options.out, options.images, options.points)
    if "labels" in options.parts:
        sound.append(read_files(options.out, options.megabytes))
    print("memory and time do not grow" if all(sound) else "memory or time grows")
    return int(not all(sound))


def watch(part: str, out: Path, images: int) -> bool:
    """Run fit, predict or test; whether its memory is flat."""
    data = out / "data"
    words = ["--data.image_dir", str(data / "images"), "--data.batch_size", "64", "--data.num_workers", "1"]
    words += ["--wandb", "off", "--data.cache_mb", "16", "--trainer.default_root_dir", str(out / part)]
    if part == "fit":
        (out / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        words += ["--data.train_json", str(data / "train.json"), "--data.samples_per_epoch", str(images)]
        words += ["--data.train_transform.init_args.crop_size_px", str(SIZE_PX), "--trainer.max_epochs", "1"]
        words = ["--config", "demo.yaml", "--config", str(out / "tiny.yaml"), *words]
    else:
        words += ["--ckpt_path", str(out / "fit" / "checkpoints" / "best.ckpt"), "--trainer.accelerator", "cpu"]
        words += ["--data.predict_source", str(data / "train.json"), "--data.test_json", str(data / "test.json")]
    if part == "predict":  # with points, and without overlays, which take most of the time
        words += ["--model.decoder.threshold", "0.02", "--predictions.overlays", "false"]
    line = watched([*CARCLOC, part, *words], out / f"{part}.log")
    write_rows(out / f"memory_{part}.csv", ("seconds", "megabytes"), line)
    return is_flat(part, line)


def watch_video(out: Path, minutes: float, checkpoint: Path) -> bool:
    """Predict on a video with all that it writes by default; whether its memory is flat."""
    made = out / f"video_{minutes:g}"
    if not made.exists():
        length = ["--seconds", f"{60 * minutes:g}", "--fps", str(VIDEO_FPS)]
        subprocess.run([*CARCLOC, "synth", str(made), "--video", "--n-videos", "1", *length], check=True)
    words = ["--ckpt_path", str(checkpoint), "--data.predict_source", str(made / "videos"), "--wandb", "off"]
    words += ["--trainer.default_root_dir", str(out / "video"), "--trainer.accelerator", "cpu"]
    line = watched([*CARCLOC, "predict", *words], out / "video.log")
    write_rows(out / "memory_video.csv", ("seconds", "megabytes"), line)
    return is_flat("video", line)


def draw_frames(folder: Path, images: int, points: int) -> None:
    """Small distinct frames with a spot each, and a test on as many of them as 250 points a frame take."""
    if (folder / "test.json").exists():
        return
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    entries, annotations = [], []
    for number in range(1, images + 1):
        pixels = random.integers(0, 60, (SIZE_PX, SIZE_PX, 3), np.uint8)
        x, y = random.integers(4, SIZE_PX - 4, 2).tolist()
        pixels[y - 1 : y + 2, x - 1 : x + 2] = 250
        cv2.imwrite(str(folder / "images" / f"{number:06d}.png"), pixels)
        entries.append({"id": number, "file_name": f"{number:06d}.png", "width": SIZE_PX, "height": SIZE_PX})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": [x, y, 2]})
    write_labels(folder / "train.json", entries, annotations)
    tested = entries[: max(1, points // 250)]
    many = (
        {"id": entry["id"], "image_id": entry["id"], "category_id": 1, "keypoints": keypoints(random, 250)}
        for entry in tested
    )
    write_labels(folder / "test.json", tested, many)


def keypoints(random: np.random.Generator, count: int) -> list[float]:
    xy = random.uniform(0, SIZE_PX - 1, (count, 2)).round(2)
    return np.concatenate([xy, np.full((count, 1), 2)], axis=1).ravel().tolist()


def write_labels(path: Path, images: list[dict], annotations: Iterable[dict]) -> None:
    with path.open("w") as file:
        file.write('{"categories": [{"id": 1, "name": "spot"}], "images": ' + json.dumps(images) + ', "annotations": [')
        for number, annotation in enumerate(annotations):
            file.write((",\n" if number else "\n") + json.dumps(annotation))
        file.write("]}\n")


def watched(command: list[str], log: Path) -> list[tuple[float, float]]:
    """Run a command; seconds since its start and megabytes that all its processes hold, every half second."""
    with log.open("w") as said:
        job = psutil.Popen(command, stdout=said, stderr=said, env=os.environ | {"OMP_NUM_THREADS": "1"})
        began, line = time.monotonic(), []
        while job.poll() is None:
            if held := held_mb(job):
                line.append((round(time.monotonic() - began, 1), round(held, 1)))
            time.sleep(0.5)
    if job.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {job.returncode}; see {log}")
    return line


def held_mb(job: psutil.Process) -> float | None:
    """Memory of their own, that which forks share once. None where a process ended while it was asked.

    Libraries are left out: their pages count the less, the more strangers on the machine hold them too.
    """
    held = 0
    try:
        for process in (job, *job.children(recursive=True)):
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    held += 1024 * int(line.split()[1])
    except (psutil.Error, OSError):
        return None
    return held / 1e6


def is_flat(name: str, line: list[tuple[float, float]]) -> bool:
    """From the third quarter of the run's time to the last, the median grows by less than 5 %."""
    held = np.array([megabytes for _, megabytes in line])
    half, quarter = len(held) // 2, 3 * len(held) // 4
    early, late = np.median(held[half:quarter]), np.median(held[quarter:])
    print(f"{name}: {early:.0f} MB in the third quarter of its time, {late:.0f} in the last, {held.max():.0f} at most")
    return bool(late < 1.05 * early)


def read_files(out: Path, most_mb: int) -> bool:
    """Read label files of growing size; whether memory stays within 8 times and time is linear."""
    rows: list[tuple] = []
    for points in (1, 250):
        for share in (16, 4, 1):
            path = out / "labels.json"
            write_large(path, most_mb / share, points)
            rows.append((points, *read_file(path, out)))
            said = "{} points an annotation: {:.0f} MB, {:.2f} times its size in memory, {:.1f} s, {:.1f} s for 100 MB"
            print(said.format(*rows[-1]), flush=True)
            path.unlink()
    names = ("points_an_annotation", "megabytes", "times_its_size", "seconds", "seconds_for_100_mb")
    write_rows(out / "label_files.csv", names, rows)
    paces = [[row[4] for row in rows if row[0] == points] for points in (1, 250)]
    return max(row[2] for row in rows) <= 8 and all(max(pace) < 1.5 * min(pace) for pace in paces)


def read_file(path: Path, out: Path) -> tuple[float, float, float, float]:
    """Megabytes, peak memory over them, seconds of processor time, and these for 100 MB."""
    with (out / "read.log").open("w") as said:
        job = subprocess.Popen([sys.executable, "-c", READ, str(path)], stdout=said)
        _, code, usage = os.wait4(job.pid, 0)
    if code:
        raise SystemExit(f"{path}: cannot be read")
    seconds = float((out / "read.log").read_text().split()[0])
    size_mb = path.stat().st_size / 1e6
    return size_mb, usage.ru_maxrss * 1024 / 1e6 / size_mb, seconds, seconds / size_mb * 100


def write_large(path: Path, megabytes: float, points: int) -> None:
    """A label file of this size with 250 points an image, and so many an annotation."""
    random = np.random.default_rng(0)
    texts = [json.dumps(one) for one in np.array(keypoints(random, 250)).reshape(-1, 3 * points).tolist()]
    images, number = [], 0
    with path.open("w") as file:
        file.write('{"categories": [{"id": 1, "name": "spot"}], "annotations": [')
        while file.tell() < megabytes * 1e6:
            image = len(images)
            images.append({"id": image, "file_name": f"{image:08d}.png", "width": SIZE_PX, "height": SIZE_PX})
            for text in texts:
                begin = ",\n" if number else "\n"
                file.write(f'{begin}{{"id": {number}, "image_id": {image}, "category_id": 1, "keypoints": {text}}}')
                number += 1
        file.write('], "images": ' + json.dumps(images) + "}\n")


def write_rows(path: Path, names: tuple[str, ...], rows: list[tuple]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)


def plot_lines(out: Path, images: int, points: int) -> None:
    titles = {"fit": f"fit, {images:,} images", "predict": f"predict, {images:,} images"}
    titles["test"] = f"test, {points:,} points"
    figure, panels = pyplot.subplots(1, len(titles), figsize=(11, 2.8), sharey=True, constrained_layout=True)
    for panel, (part, title) in zip(panels, titles.items(), strict=True):
        with (out / f"memory_{part}.csv").open() as file:
            line = np.array([(float(row["seconds"]), float(row["megabytes"])) for row in csv.DictReader(file)])
        panel.plot(line[:, 0] / 60, line[:, 1], color="#20639b", linewidth=1.2)
        panel.set(title=title, xlabel="minutes")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("memory of all processes, MB")
    panels[0].set_ylim(bottom=0)
    figure.savefig(out / "memory.png", dpi=110)


if __name__ == "__main__":
    sys.exit(main())
