"""The page about a procedure: what was looked at, what was found, and what a surgeon may make of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from carcinosis_loc.report.burden import burden
from carcinosis_loc.report.charts import Chart, Span, burden_chart, histogram_chart
from carcinosis_loc.report.evidence import Moment, busiest, evidence
from carcinosis_loc.report.fagotti import AGREEMENT, CUT_OFFS, ITEMS, UNVERIFIED, Item
from carcinosis_loc.report.frames import Findings, Float64, Track, Video
from carcinosis_loc.report.labels import Labels
from carcinosis_loc.report.origin import measured
from carcinosis_loc.report.page import render, without_threshold
from carcinosis_loc.report.pictures import Circle, circles, data_uri, mark_px
from carcinosis_loc.report.stations import STATIONS, Interval, StationSummary, frames_of, summaries
from carcinosis_loc.tracking import MIN_SEEN_SHARE, MIN_SIGHTINGS

_MOST_ROWS = 100  # of the table of frames
_MOST_PICTURES = 48  # some 150 kB each
_LEVELS = 101  # of the slider
_LEAST_IMAGES = 8  # for a histogram


@dataclass(frozen=True)
class KeyFrame:
    """A frame as the page shows it; ``key`` is its name within the page; ``station`` is what it shows."""

    key: str
    label: str
    width: int
    height: int
    uri: str
    mark_px: float
    circles: list[Circle]
    count: int
    station: str | None


@dataclass(frozen=True)
class _VideoRow:
    """A line of the table of videos; ``tracks`` is None where nobody linked points."""

    name: str
    length: str
    video: Video
    tracks: list[Track] | None


@dataclass(frozen=True)
class Row:
    """A line of the table of frames."""

    label: str
    count: int
    highest: float | None


def procedure_page(
    findings: Findings, intervals: Sequence[Interval], *, window_s: float, least_s: float, anonymize: bool
) -> str:
    """The page as HTML.

    Args:
        findings: a predictions folder.
        intervals: when the camera looked at which station; none where nobody said.
        window_s: over how many seconds the burden is smoothed.
        least_s: a station that was inspected for less is flagged.
        anonymize: leave file names out.
    """
    labels = Labels(findings, anonymize)
    counts = findings.counts()
    stations, key_frames = summaries(findings, intervals, least_s), _key_frames(findings, intervals, labels)
    return render(
        "procedure.html",
        findings=findings,
        title=labels.title,
        anonymize=anonymize,
        counts=counts,
        nouns=("frame" if findings.videos else "image") + ("" if len(counts) == 1 else "s"),
        median=float(np.median(counts)),
        busiest=labels.of(int(np.argmax(counts))) if counts.max() > 0 else None,
        tracked=findings.tracks is not None,
        videos=[_VideoRow(labels.video(v), labels.length(v), v, findings.tracks_of(v)) for v in findings.videos],
        n_unique=None if findings.tracks is None else sum(len(findings.tracks_of(v) or ()) for v in findings.videos),
        n_most=sum(len(findings.tracks_of(v, 0) or ()) for v in findings.videos),
        charts=_charts(findings, intervals, labels, window_s),
        min_sightings=MIN_SIGHTINGS,
        min_seen_share=MIN_SEEN_SHARE,
        window_s=window_s,
        least_s=least_s,
        stations=stations,
        unseen=[name for name in STATIONS if not any(name in one.station or one.station in name for one in intervals)],
        has_intervals=bool(intervals),
        key_frames=key_frames,
        by_key={frame.key: frame for frame in key_frames},
        n_key_frames=len(findings.key_frames),
        levels=_levels(findings),
        sheet=_sheet(findings, intervals, stations, labels),
        unassigned=[] if intervals else [_moment(one, labels) for one in busiest(findings)],
        cut_offs=CUT_OFFS,
        unverified=UNVERIFIED,
        agreement=AGREEMENT,
        rows=_rows(findings, labels),
        rule=without_threshold(findings.provenance.get("threshold_rule")),
        measured=measured(findings.folder, findings.provenance),
        provenance=_provenance(findings, anonymize),
    )


def _charts(findings: Findings, intervals: Sequence[Interval], labels: Labels, window_s: float) -> list[Chart]:
    counts, charts = findings.counts(), []
    for video in findings.videos:
        curve = burden(findings.frames.time_s[video.frames], counts[video.frames], video.duration_s, window_s)
        spans = [Span(i.start_s, i.end_s - i.start_s, i.station) for i in intervals if i.video == video.name]
        name = f"Points a frame over time, {labels.video(video)}"
        charts.append(burden_chart(name, curve, window_s, video.duration_s, spans))
    if len(findings.images) >= _LEAST_IMAGES:
        charts.append(histogram_chart(counts[findings.images]))
    return charts


def _key_frames(findings: Findings, intervals: Sequence[Interval], labels: Labels) -> list[KeyFrame]:
    order, frames, found = np.argsort(findings.found.frame, kind="stable"), findings.frames, findings.found
    starts = np.searchsorted(found.frame[order], np.arange(len(frames) + 1))
    station_of = {frame: one.station for one in intervals for frame in frames_of(findings, [one]).tolist()}
    shown = []
    for frame, picture in findings.key_frames[:_MOST_PICTURES]:
        size = int(frames.size[frame, 0]), int(frames.size[frame, 1])
        of_frame = order[starts[frame] : starts[frame + 1]]
        points = np.column_stack([found.xy[of_frame], found.score[of_frame]]).tolist()
        count = int((found.score[of_frame] >= findings.threshold).sum())
        label, uri = labels.of(frame), data_uri(picture, size)
        marks = circles([(x, y, score) for x, y, score in points], size)
        shown.append(
            KeyFrame(f"frame-{frame}", label, size[1], size[0], uri, mark_px(size), marks, count, station_of.get(frame))
        )
    return shown


def _levels(findings: Findings) -> dict[str, Any]:
    """The slider: scores, and at each how many frames have a point, and the median number of points a frame.

    Points are not summed over frames: those of a video show the same nodules again and again.
    """
    found = findings.found
    ends = (float(found.score.min()), float(found.score.max())) if len(found) else (findings.threshold,) * 2
    inner = np.linspace(*ends, _LEVELS)[1:-1].round(4)
    scores: Float64 = np.unique(
        np.concatenate([ends, inner[(inner > ends[0]) & (inner < ends[1])], [findings.threshold]])
    )
    counts = [findings.counts(score) for score in scores]
    slope, offset = findings.provenance.get("score_scale", (None, None))
    return {
        "scores": scores.tolist(),
        "frames": [int((count > 0).sum()) for count in counts],
        "medians": [float(np.median(count)) for count in counts],
        "start": int(np.searchsorted(scores, findings.threshold)),
        "slope": slope,
        "offset": offset,
    }


def _sheet(
    findings: Findings, intervals: Sequence[Interval], stations: Sequence[StationSummary], labels: Labels
) -> list[tuple[Item, list[dict[str, Any]], list[StationSummary]]]:
    """Each item, the moments beside it, and its stations with an interval, which they come from."""
    brief = {one.station for one in stations if one.brief}
    return [
        (
            item,
            [_moment(one, labels) for one in evidence(findings, item, intervals, brief)],
            [one for one in stations if one.station in item.stations],
        )
        for item in ITEMS
    ]


def _moment(moment: Moment, labels: Labels) -> dict[str, Any]:
    return {"key": f"frame-{moment.frame}", "label": labels.of(moment.frame), **vars(moment)}


def _rows(findings: Findings, labels: Labels) -> list[Row]:
    """The frames with the most points, in their own order: of a video that of each of its stretches, else of all."""
    counts, videos = findings.counts(), findings.videos
    best = np.full(len(counts), np.nan)
    np.fmax.at(best, findings.found.frame, findings.found.score)
    chosen = np.argsort(-counts, kind="stable")[:_MOST_ROWS]
    if videos and len(counts) > _MOST_ROWS:
        share = max(1, _MOST_ROWS // (len(videos) + bool(len(findings.images))))
        groups = [video.frames for video in videos] + ([findings.images] if len(findings.images) else [])
        stretches = (part for group in groups for part in np.array_split(group, min(share, len(group))))
        chosen = np.array([part[np.argmax(counts[part])] for part in stretches])
    chosen = np.sort(chosen).tolist()
    return [Row(labels.of(i), int(counts[i]), None if np.isnan(best[i]) else float(best[i])) for i in chosen]


def _provenance(findings: Findings, anonymize: bool) -> list[tuple[str, str]]:
    said, known = findings.provenance, []
    for key, name in (
        ("created", "points found on"),
        ("version", "carcloc version"),
        ("commit", "commit"),
        ("checkpoint", "checkpoint"),
        ("checkpoint_sha256", "SHA-256 of the checkpoint"),
        ("match_radius_px", "match radius, px"),
        ("score_floor", "lowest score that was looked for"),
        ("source", "source"),
    ):
        if not (anonymize and key in ("checkpoint", "source")):
            value = said.get(key)
            text = "not recorded" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            known.append((name, text))
    return known
