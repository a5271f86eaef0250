"""The data of a run as Lightning wants them."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.checks import check_numbers, check_share, check_sizes, in_full
from carcinosis_loc.data.dataset import PATIENCE_S, PointDataset, Sample
from carcinosis_loc.data.loading import TrainLoader, loading_options
from carcinosis_loc.data.sampling import EvaluationBatches, TrainSampler
from carcinosis_loc.data.sources import anonymous_items, check_names, read_source
from carcinosis_loc.data.splits import anonymous, read_split, warn_of_shared_groups
from carcinosis_loc.data.stream import FrameStream, stream_loader
from carcinosis_loc.data.taught import Taught
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.errors import InputError
from carcinosis_loc.points import Frame
from carcinosis_loc.video import FrameRate, Video

_NEEDED = {"fit": "train", "validate": "val", "test": "test", "predict": "predict"}


class PointDataModule(LightningDataModule):
    """COCO keypoint files to batches. Paths are asked for by the command that needs them.

    Args:
        image_dir: folder that the label files' ``file_name`` is relative to; it may be a link.
        train_json: COCO keypoint file to train on.
        val_json: COCO keypoint file for validation; ``fit`` does without.
        test_json: COCO keypoint file for the test.
        predict_source: an image, a video, a folder of them, a COCO file whose images are meant, a list of these (a
            ``.txt`` with one path a line), a device, or ``-`` for a video on standard input.
        every_nth: look at every n-th frame of a video.
        per_second: look at so many frames a second of a video, instead.
        image_size: ``(height, width)`` that frames are letterboxed to, network pixels; null keeps the native size.
        batch_size: frames, or windows of frames, of a batch and process.
        eval_batch_size: the same where whole frames are looked at; null is ``batch_size``.
        num_workers: data-loading processes; 0 loads in the main process.
        category: name (or id) of the category whose points count; needed where a file has several.
        exhaustive_splits: splits (of train, val, test) whose frames count as exhaustively labelled unless they say
            otherwise themselves.
        asked_per_frame: how many points annotators were asked to mark on a training frame, if there are as many: a
            frame with fewer labels has no other objects, and counts as exhaustively labelled unless it says otherwise.
        allow_symlinks: let links inside the image folder lead out of it.
        train_transform: augmentation; null is ``TrainTransform`` with its defaults.
        samples_per_epoch: training samples of an epoch over all processes; null means as many as there are frames.
        whole_share: chance of a training sample, below 1, to be of a frame that is exhaustively labelled and holds as
            many objects as were asked for (one at least), where these are few beside others; null draws all alike.
        anonymize: call frames ``image_<id>`` and groups by number in all that is written.
        cache_mb: memory for decoded frames, megabytes for each split and each process that loads it.
        patience_s: how long to wait for an image that is gone since the run began, seconds.
        seed: base of shuffling and augmentation.
    """

    def __init__(
        self,
        image_dir: str | None = None,
        train_json: str | None = None,
        val_json: str | None = None,
        test_json: str | None = None,
        predict_source: str | None = None,
        every_nth: int = 1,
        per_second: float | None = None,
        image_size: tuple[int, int] | None = None,
        batch_size: int = 8,
        eval_batch_size: int | None = None,
        num_workers: int = 2,
        category: str | None = None,
        exhaustive_splits: Sequence[str] = ("test",),
        asked_per_frame: int | None = None,
        allow_symlinks: bool = False,
        train_transform: TrainTransform | None = None,
        samples_per_epoch: int | None = None,
        whole_share: float | None = None,
        cache_mb: float = 1024,
        anonymize: bool = False,
        patience_s: float = PATIENCE_S,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.image_dir = image_dir
        self.train_json = train_json
        self.val_json = val_json
        self.test_json = test_json
        self.predict_source = predict_source
        self.image_size = None if image_size is None else (image_size[0], image_size[1])
        self.batch_size = batch_size
        self.eval_batch_size = batch_size if eval_batch_size is None else eval_batch_size
        self.num_workers = num_workers
        self.category = category
        self.exhaustive_splits = tuple(exhaustive_splits)
        self.asked_per_frame = asked_per_frame
        self.allow_symlinks = allow_symlinks
        self.train_transform = train_transform
        self.samples_per_epoch = samples_per_epoch
        self.whole_share = whole_share
        self.cache_mb = cache_mb
        self.anonymize = anonymize
        self.patience_s = patience_s
        self.seed = seed
        self.rate = FrameRate(every_nth, per_second)
        self.frames: dict[str, list[Frame]] = {}
        self.stream: FrameStream | None = None  # in place of frames, where there is a video to predict on
        self._train_loader: TrainLoader | None = None
        self._left_off: dict[str, int] = {}
        self.taught = Taught()

    def check(self, subcommand: str) -> None:
        """Read and validate all that ``subcommand`` needs; ``setup`` then uses the result.

        Args:
            subcommand: "fit", "validate", "test" or "predict".

        Raises:
            InputError: an argument is missing or wrong, or a file, an annotation or a header is.
        """
        check_numbers(vars(self))
        needed = [_NEEDED[subcommand], *(["val"] if subcommand == "fit" and self.val_json is not None else [])]
        for split in needed:
            if split not in self.frames:
                self.frames[split] = self._read_source() if split == "predict" else self._read(split)
        if subcommand == "fit":
            resized = self.image_size is not None or self._transform().crop_size_px is not None
            check_sizes(self.frames["train"], self.train_json, resized)
            check_share(self.whole_share, in_full(self.frames["train"], self.asked_per_frame), self.frames["train"])
        paths = {split: getattr(self, f"{split}_json") for split in ("train", "val", "test")}
        read = {split: self.frames[split] for split in needed}
        warn_of_shared_groups(read, paths, named=not self.anonymize)
        if self.anonymize:
            self.frames |= {split: anonymous(frames) for split, frames in read.items()}

    def setup(self, stage: str) -> None:
        """Read what ``check`` has not read yet; Lightning calls this."""
        if _NEEDED[stage] not in self.frames:
            self.check(stage)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Augmented samples, shuffled. A last batch that is not full is dropped, unless it is the only one."""
        frames = self.frames["train"]
        ids, often = [frame.image_id for frame in frames], in_full(frames, self.asked_per_frame)
        drawn = self.samples_per_epoch, *self._rank()
        sampler = TrainSampler(ids, self.seed, *drawn, often=often, often_share=self.whole_share or 0.0)
        self._train_loader = TrainLoader(
            self._dataset("train", self._transform()),
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=len(sampler) >= self.batch_size,
            **loading_options(self.num_workers),
        )
        if self._left_off:
            self._train_loader.load_state_dict(self._left_off)
        return self._train_loader

    def state_dict(self) -> dict[str, Any]:
        """How far the epoch was, see ``TrainLoader``. Lightning asks the loader too, but too late on resuming."""
        return {} if self._train_loader is None else self._train_loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on there; Lightning calls this before it asks for the loader."""
        self._left_off = state_dict

    def val_dataloader(self) -> DataLoader[Sample] | list[Any]:
        """Each validation frame once; nothing where there is no ``val_json``."""
        if "val" in self.frames:
            return self._whole_frames(self._dataset("val"))
        warnings.filterwarnings("ignore", "Total length of `list` across ranks is zero")
        return []

    def test_dataloader(self) -> DataLoader[Sample]:
        """Each test frame once."""
        return self._whole_frames(self._dataset("test"))

    def predict_dataloader(self) -> DataLoader[Any]:
        """Each frame of ``predict_source`` once; as a stream where there is a video among them.

        Raises:
            InputError: several processes, and a video.
        """
        if self.stream is not None:
            return stream_loader(self.stream, self._rank()[1])
        # Lightning fears that a batch sampler that it does not know drops frames
        warnings.filterwarnings("ignore", "You are using a custom batch sampler")
        return self._whole_frames(self._dataset("predict"))

    def unaugmented_train_batches(self, most: int | None = None) -> Iterable[Batch]:
        """Training frames that are not exhaustive (``most`` at most), once each, as in evaluation; this process's."""
        frames = [frame for frame in self.frames["train"] if not frame.exhaustive]
        step = 1 if most is None else -(-len(frames) // most) or 1
        frames = frames[::step]
        return self._whole_frames(PointDataset(frames, None, self.image_size, 0, self.patience_s)) if frames else []

    def teach(self, **known: Any) -> None:
        """From the next training batch on, use these attributes of ``Taught``, in place of earlier ones."""
        self.taught = replace(self.taught, **known)

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Bring what was taught to a training batch; Lightning calls this in the main process."""
        return self.taught.on(batch) if self.trainer is not None and self.trainer.training else batch

    def _read_source(self) -> list[Frame]:
        items = read_source(self._required("predict_source"), self.image_dir, allow_symlinks=self.allow_symlinks)
        check_names([] if self.anonymize else items)
        if any(isinstance(item, Video) for item in items):
            items = anonymous_items(items) if self.anonymize else items
            self.stream = FrameStream(items, self.rate, self.image_size, self.eval_batch_size, self.patience_s)
        return [item for item in items if isinstance(item, Frame) and self.stream is None]

    def _read(self, split: str) -> list[Frame]:
        json_path, image_dir = self._required(f"{split}_json"), self._required("image_dir")
        return read_split(
            split,
            json_path,
            image_dir,
            category=self.category,
            allow_symlinks=self.allow_symlinks,
            exhaustive=split in self.exhaustive_splits,
            asked_per_frame=(self.asked_per_frame or 0) if split == "train" else 0,
        )

    def _required(self, name: str) -> str:
        value: str | None = getattr(self, name)
        if not value:
            raise InputError(f"--data.{name} is not given, and this command needs it")
        return value

    def _transform(self) -> TrainTransform:
        return self.train_transform or TrainTransform()

    def _dataset(self, split: str, transform: TrainTransform | None = None) -> PointDataset:
        return PointDataset(self.frames[split], transform, self.image_size, self.cache_mb, self.patience_s)

    def _whole_frames(self, dataset: PointDataset) -> DataLoader[Sample]:
        sizes = [dataset.network_size(index) for index in range(len(dataset))]
        batches = EvaluationBatches(sizes, self.eval_batch_size, *self._rank())
        return DataLoader(dataset, batch_sampler=batches, **loading_options(self.num_workers))

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
