"""Predictions folders as ``carcloc predict`` writes them, built by hand: a video of a minute, or a few images."""

import csv
import json

import cv2
import numpy as np

SIZE = (180, 320)
PROVENANCE = {
    "version": "0.1.0",
    "commit": "0123abc",
    "checkpoint": "best.ckpt",
    "checkpoint_sha256": "f" * 64,
    "threshold": 0.3,
    "threshold_rule": "0.300, the best F1 on 3 exhaustive frames (120 points)",
    "score_floor": 0.01,
    "match_radius_px": 6.0,
    "source": "case.mp4",
    "created": "2026-01-02T03:04:05+00:00",
    "command": "predict",
}


def write(folder, images, points, key_frames=(), tracks=None, provenance=None):
    """Write a folder: ``points`` are ``(image_id, x, y, score, track_id)``; ``key_frames`` ``(image_id, pixels)``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images.json").write_text(json.dumps({"images": images, "annotations": [], "categories": []}))
    by_id = {image["id"]: image for image in images}
    with (folder / "points.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file_name", "frame", "time_s", "x", "y", "score", "track_id"))
        for image_id, x, y, score, track in points:
            image = by_id[image_id]
            writer.writerow((image["file_name"], image.get("frame", ""), image.get("time_s", ""), x, y, score, track))
    listed = []
    for image_id, pixels in key_frames:
        (folder / "key_frames").mkdir(exist_ok=True)
        name = f"key_frames/{image_id}.jpg"
        cv2.imwrite(str(folder / name), pixels[..., ::-1])
        listed.append({"image_id": image_id, "file": name, "clearness": 1.5})
    (folder / "key_frames.json").write_text(json.dumps(listed))
    if tracks is not None:
        columns = "track_id,file_name,first_s,last_s,first_frame,last_frame,n_sightings,best_score"
        rows = [",".join(map(str, row)) for row in tracks]
        (folder / "tracks.csv").write_text("\n".join([columns, *rows]) + "\n")
    if provenance is not None:
        (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def picture(size):
    """A frame without a nodule: red, brighter to the right."""
    shade = np.linspace(0.4, 1, size[1])[None, :, None] * np.array([200, 90, 80])
    return np.broadcast_to(shade, (*size, 3)).astype(np.uint8)


def video_facts(name, duration_s, **more):
    facts = {"file_name": name, "fps": 25.0, "duration_s": duration_s, "n_frames_read": int(duration_s * 25)}
    return facts | {"every_nth": 25, "complete": True, "broke_off": None} | more


def write_video(folder, name="case.mp4", seconds=60, size=SIZE, key_every=10, step_s=1.0, **more):
    """One frame each ``step_s``; nodule ``k`` (track ``k``) is seen in every k-th, with a score of 0.9 - k / 20."""
    images, points, key_frames, seen = [], [], [], {}
    for second in range(seconds):
        image_id = second + 1
        images.append(
            {"id": image_id, "file_name": name, "width": size[1], "height": size[0]}
            | {"frame": second * 25, "time_s": round(second * step_s, 3)}
        )
        for track in range(1, 13):
            if second % track == 0:
                score = round(0.9 - 0.05 * track, 3)
                place = (round(20 + 22 * track + second % 7, 1), round(30 + 9 * track + second % 5, 1))
                points.append((image_id, *place, score, track))
                seen.setdefault(track, []).append(second)
        if key_every and second % key_every == 0:
            key_frames.append((image_id, picture(size)))
    tracks = [
        (track, name, times[0], times[-1], times[0] * 25, times[-1] * 25, len(times), round(0.9 - 0.05 * track, 3))
        for track, times in seen.items()
    ]
    provenance = PROVENANCE | {"source": name, "videos": [video_facts(name, float(seconds))]} | more
    return write(folder, images, points, key_frames, tracks, provenance)


def write_images(folder, names=("a.png", "b.png", "c.png"), key=True):
    """Images without time; the first has no point, the others one and two, and the first and last are key frames."""
    images = [{"id": n, "file_name": name, "width": SIZE[1], "height": SIZE[0]} for n, name in enumerate(names, 1)]
    points = [(n, 10.0 * k + 20, 40.0, 0.5, "") for n in range(1, len(names) + 1) for k in range(n - 1)]
    key_frames = [(n, picture(SIZE)) for n in (1, len(names))] if key else []
    provenance = PROVENANCE | {"source": "folder", "videos": []}
    return write(folder, images, points, key_frames, None, provenance)
