"""The plain ways, to time ours against: NumPy, SciPy, and eager PyTorch one image at a time."""

import json

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import maximum_filter
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist


def targets(points_of_frames, size, stride, sigma_px):
    """Each point's Gaussian over the whole map, maximum over points."""
    height, width = size
    x = (np.arange(width) + 0.5) * stride - 0.5
    y = (np.arange(height) + 0.5) * stride - 0.5
    out = np.zeros((len(points_of_frames), 1, height, width), np.float32)
    for frame, points in enumerate(points_of_frames):
        for px, py in points:
            gaussian = np.exp(-((x[None] - px) ** 2 + (y[:, None] - py) ** 2) / (2 * sigma_px**2))
            np.maximum(out[frame, 0], gaussian, out=out[frame, 0])
    return out


def peaks(logits, stride, floor, radius_px, top_k=None):
    """Sigmoid, maximum filter, a loop over candidates, greedy suppression on all pairs."""
    found = []
    for heat in 1 / (1 + np.exp(-logits[:, 0])):
        rows, columns = np.nonzero((maximum_filter(heat, 3) == heat) & (heat >= floor))
        order = np.argsort(-heat[rows, columns])
        kept = []
        for r, c in zip(rows[order], columns[order], strict=True):
            x, y = (c + 0.5) * stride - 0.5, (r + 0.5) * stride - 0.5
            if all((x - kx) ** 2 + (y - ky) ** 2 > radius_px**2 for kx, ky, _ in kept):
                kept.append((x, y, heat[r, c]))
            if len(kept) == top_k:
                break
        found.append(np.array(kept).reshape(-1, 3))
    return found


def curve(xy, scores, truth, radius_px):
    """True positives at every distinct threshold: one assignment each, on all pairs."""
    distance = cdist(xy, truth)
    hits = []
    for threshold in np.unique(scores)[::-1]:
        near = distance[scores >= threshold] <= radius_px
        rows, columns = linear_sum_assignment(~near)
        hits.append(int(near[rows, columns].sum()))
    return hits


@torch.no_grad()
def predict(net, paths, folder, floor, radius_px, top_k):
    """Each image: opened, through the network as it is written (float32, NCHW), peaks in NumPy, JSON."""
    folder.mkdir()
    results = []
    for number, path in enumerate(paths):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
        height, width = image.shape[2:]
        padded = torch.nn.functional.pad((image - net.mean) / net.std, (0, -width % 32, 0, -height % 32))
        logits = net.head(net.backbone(padded.contiguous()))[..., : -(-height // 4), : -(-width // 4)]
        (found,) = peaks(logits.numpy(), 4, floor, radius_px, top_k)
        for x, y, score in found:
            keypoints = [round(float(x), 3), round(float(y), 3), 2]
            results.append({"image_id": number, "category_id": 1, "keypoints": keypoints, "score": float(score)})
    (folder / "predictions.json").write_text(json.dumps(results))
