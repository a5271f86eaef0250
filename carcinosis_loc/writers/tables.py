"""Points, tracks and densities as tables."""

import csv
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from carcinosis_loc.errors import InputError
from carcinosis_loc.writers.base import About, Found, PredictionWriter, VideoEnd

POINT_COLUMNS = ("file_name", "frame", "time_s", "x", "y", "score", "track_id")
_ROWS_A_GROUP = 100_000


def point_rows(found: Found) -> Iterator[tuple[Any, ...]]:
    """Rows of ``POINT_COLUMNS``; None where there is nothing to say."""
    for x, y, score, track_id in found.rows():
        yield found.frame.file_name, found.index, found.time_s, x, y, score, track_id


class _CsvTable(PredictionWriter):
    """One CSV file; what is None is an empty cell."""

    file_name: str
    columns: tuple[str, ...]

    def begin(self, about: About) -> None:
        """Open the file and write its header."""
        super().begin(about)
        self._file = (self.folder / self.file_name).open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self.columns)

    @abstractmethod
    def rows(self, found: Found) -> Iterable[tuple[Any, ...]]:
        """The rows of a frame."""

    def frame(self, found: Found) -> None:
        """Write the rows of a frame."""
        self._writer.writerows(self.rows(found))

    def finish(self) -> None:
        """Close the file."""
        self._file.close()


class PointTable(_CsvTable):
    """``points.csv``: one row a point, in image pixels."""

    file_name = "points.csv"
    columns = POINT_COLUMNS

    def rows(self, found: Found) -> Iterable[tuple[Any, ...]]:
        """One row a point."""
        return point_rows(found)


class TrackTable(_CsvTable):
    """``tracks.csv``: one row a track of a video, those seen once among them."""

    file_name = "tracks.csv"
    columns = (
        *("track_id", "file_name", "first_s", "last_s", "first_frame", "last_frame"),
        *("n_sightings", "best_score", "n_in_view"),
    )

    def rows(self, found: Found) -> Iterable[tuple[Any, ...]]:
        """None: tracks are known when their video is over."""
        return ()

    def video(self, ended: VideoEnd) -> None:
        """Write the tracks of a video."""
        self._writer.writerows(ended.tracks)


class DensityTable(_CsvTable):
    """``density.csv``: one row a frame: its points, and points in a million of its pixels.

    Pixels, not tissue: how much tissue a pixel shows depends on how near the camera is.
    """

    file_name = "density.csv"
    columns = ("file_name", "frame", "time_s", "n_points", "points_per_mpx")

    def rows(self, found: Found) -> Iterable[tuple[Any, ...]]:
        """One row."""
        height, width = found.frame.size
        density = round(len(found.peaks) * 1e6 / (height * width), 3)
        yield found.frame.file_name, found.index, found.time_s, len(found.peaks), density


class ParquetTable(PredictionWriter):
    """``points.parquet``: the columns of ``points.csv`` with their types; for pandas and its like.

    Raises:
        InputError: pyarrow is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise InputError("--predictions.parquet: pyarrow is not installed: pip install pyarrow pandas") from None
        self._arrow = pyarrow

    def begin(self, about: About) -> None:
        """Open the file."""
        super().begin(about)
        arrow = self._arrow
        kinds = (arrow.string(), arrow.int64(), *[arrow.float64()] * 4, arrow.int64())
        self._schema = arrow.schema(list(zip(POINT_COLUMNS, kinds, strict=True)))
        path = Path(self.folder / "points.parquet")
        self._file = arrow.parquet.ParquetWriter(path, self._schema)
        self._waiting: list[tuple[Any, ...]] = []

    def frame(self, found: Found) -> None:
        """Keep the rows until they are enough for a group."""
        self._waiting += point_rows(found)
        if len(self._waiting) >= _ROWS_A_GROUP:
            self._write()

    def finish(self) -> None:
        """Write what waits, and close the file."""
        self._write()
        self._file.close()

    def _write(self) -> None:
        rows = [dict(zip(POINT_COLUMNS, row, strict=True)) for row in self._waiting]
        self._file.write_table(self._arrow.Table.from_pylist(rows, schema=self._schema))
        self._waiting = []
