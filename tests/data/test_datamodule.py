"""``PointDataModule``: batches, workers, ranks and sources."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from data_modules import SIZES, edit, module, module_with, quiet_trainer, summary
from lightning.pytorch import LightningModule
from PIL import Image

from carcinosis_loc.data.batch import Batch
from carcinosis_loc.data.datamodule import PointDataModule
from carcinosis_loc.data.transforms import TrainTransform
from carcinosis_loc.errors import InputError

NUCLEI = Path(__file__).parents[3] / "shared" / "data" / "nuclei"


class Recorder(LightningModule):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = {"train": [], "val": [], "test": [], "predict": []}

    def training_step(self, batch):
        assert isinstance(batch, Batch)
        self.seen["train"].append((self.current_epoch, [f.image_id for f in batch.frames], batch.image.sum().item()))
        return self.weight * 1.0

    def keep(self, split, batch):
        self.seen[split] += [frame.image_id for frame in batch.frames if not batch.dummy]

    def validation_step(self, batch):
        self.keep("val", batch)

    def test_step(self, batch):
        self.keep("test", batch)

    def predict_step(self, batch):
        self.keep("predict", batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_training_batches(make_split, image_dir):
    data = module(image_dir, train_json=make_split("train", SIZES), batch_size=2)
    data.setup("fit")
    loader = data.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader) == 2  # of 5 frames, one is left over
    for batch in batches:
        assert batch.image.shape == (2, 3, 32, 32)
        assert batch.valid.any()
        assert (batch.points[batch.labelled] >= -0.5).all()
    assert len(list(module_with(data, batch_size=8).train_dataloader())) == 1  # the only batch is kept
    assert len(list(module_with(data, batch_size=2, samples_per_epoch=20).train_dataloader())) == 10


def test_batches_of_whole_frames_have_a_size_of_their_own(make_split, image_dir):
    for size, most in ((None, 3), (1, 1)):
        data = module(image_dir, val_json=make_split("val", SIZES), batch_size=3, eval_batch_size=size)
        data.setup("validate")
        counts = [len(batch.frames) for batch in data.val_dataloader()]
        assert (max(counts), sum(counts)) == (most, len(SIZES))


def test_batches_do_not_depend_on_the_number_of_workers(make_split, image_dir):
    path = make_split("train", SIZES)
    seen = []
    for num_workers in (0, 1, 2):
        data = module(image_dir, train_json=path, val_json=path, num_workers=num_workers)
        data.setup("fit")
        loader = data.train_dataloader()
        epochs = []
        for epoch in (0, 1):
            loader.sampler.set_epoch(epoch)
            epochs.append([summary(batch) for batch in loader])
        assert epochs[0] != epochs[1]
        seen.append((epochs, [summary(batch) for batch in data.val_dataloader()]))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_every_rank_gets_a_batch_and_every_frame_is_seen_once(count, world_size, make_split, image_dir):
    path = make_split("test", SIZES[:count])
    seen = []
    for rank in range(world_size):
        data = module(image_dir, test_json=path)
        data.setup("test")
        data.trainer = SimpleNamespace(global_rank=rank, world_size=world_size)
        batches = list(data.test_dataloader())
        assert batches
        for batch in batches:
            if batch.dummy:
                assert len(batches) == 1
                assert not batch.valid.any()
                assert not batch.labelled.any()
                assert not batch.exhaustive.any()
            else:
                assert len(batch.letterboxes) == len(batch)
                seen += [frame.image_id for frame in batch.frames]
    assert sorted(seen) == list(range(1, count + 1))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_truncated_image_ends_in_one_line(num_workers, make_split, image_dir):
    path = make_split("test", [(64, 64)])
    image = Path(image_dir) / "test_1.png"
    image.write_bytes(image.read_bytes()[:2000])
    data = module(image_dir, test_json=path, num_workers=num_workers)
    data.check("test")  # its header is sound
    with pytest.raises(InputError) as caught:
        list(data.test_dataloader())
    assert str(caught.value).startswith(f"{image}: the image cannot be read")
    assert "Traceback" not in str(caught.value)


def test_predict_from_an_image_a_folder_and_an_image_list(make_split, image_dir, tmp_path):
    path = make_split("x", SIZES)
    Path(image_dir, "deep").mkdir()
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(Path(image_dir, "deep", "grey.png"))

    def frames(source, **arguments):
        data = module(predict_source=str(source), **{"image_dir": None} | arguments)
        data.check("predict")
        return data.frames["predict"]

    (single,) = frames(Path(image_dir, "x_3.png"))
    assert (single.image_id, single.file_name, single.size, single.exhaustive) == (1, "x_3.png", (60, 44), False)
    found = frames(image_dir)
    assert [frame.image_id for frame in found] == [1, 2, 3, 4, 5, 6]
    assert [frame.file_name for frame in found] == ["deep/grey.png", *(f"x_{n}.png" for n in range(1, 6))]
    edit(path, lambda document: [document.pop(key) for key in ("annotations", "categories")])
    assert [frame.size for frame in frames(path, image_dir=image_dir)] == SIZES
    with pytest.raises(InputError, match=r"x\.json: .*--data\.image_dir"):
        frames(path)
    with pytest.raises(InputError, match="no such image"):
        frames(tmp_path / "nowhere")


def test_in_a_run(make_split, image_dir, tmp_path):
    """Lightning's trainer calls what it should, and no frame is lost on the way."""
    train, val = make_split("train", SIZES), make_split("val", SIZES)
    data = module(image_dir, train_json=train, val_json=val, test_json=val, predict_source=image_dir)
    recorder = Recorder()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "You are using a custom batch sampler")
        warnings.filterwarnings("error", "Couldn't infer the batch indices")
        quiet_trainer(tmp_path, max_epochs=2).fit(recorder, datamodule=data)
        quiet_trainer(tmp_path).test(recorder, datamodule=data, verbose=False)
        quiet_trainer(tmp_path).predict(recorder, datamodule=data)
    assert sorted(recorder.seen["val"]) == sorted([1, 2, 3, 4, 5] * 2)
    assert sorted(recorder.seen["test"]) == [1, 2, 3, 4, 5]
    assert sorted(recorder.seen["predict"]) == list(range(1, 11))
    epochs = [[(ids, total) for e, ids, total in recorder.seen["train"] if e == epoch] for epoch in (0, 1)]
    assert len(epochs[0]) == len(epochs[1]) == 2
    assert epochs[0] != epochs[1]


def test_fit_without_validation(make_split, image_dir, tmp_path):
    recorder = Recorder()
    data = module(image_dir, train_json=make_split("train", SIZES))
    quiet_trainer(tmp_path, max_epochs=1).fit(recorder, datamodule=data)
    assert len(recorder.seen["train"]) == 2
    assert recorder.seen["val"] == []


def test_the_arguments_parse_from_yaml(tmp_path):
    """Lists where Python has tuples, and the augmentation by its class path."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_class_arguments(PointDataModule, "data")
    parser.add_argument("--config", action="config")
    (tmp_path / "config.yaml").write_text(
        "data:\n  image_size: [736, 1280]\n  exhaustive_splits: [val, test]\n  train_transform:\n"
        "    class_path: carcinosis_loc.data.transforms.TrainTransform\n"
        "    init_args: {crop_size_px: 192, scale_range: [0.5, 2.0], smoke_probability: 0}\n"
    )
    data = parser.instantiate(parser.parse_args([f"--config={tmp_path / 'config.yaml'}"])).data
    assert data.image_size == (736, 1280)
    assert data.exhaustive_splits == ("val", "test")
    assert data.train_transform.crop_size_px == 192
    assert data.train_transform.view.scale_range == (0.5, 2.0)


@pytest.mark.skipif(not NUCLEI.is_dir(), reason="the nuclei data are not beside this checkout")
def test_real_images():
    data = PointDataModule(
        str(NUCLEI / "images"),
        train_json=str(NUCLEI / "annotations" / "train_sparse5.json"),
        test_json=str(NUCLEI / "annotations" / "test_dense.json"),
        train_transform=TrainTransform(crop_size_px=192),
        num_workers=0,
        samples_per_epoch=32,
    )
    data.check("fit")
    data.check("test")
    assert sum(len(frame.points) for frame in data.frames["train"]) == 1954
    assert sum(len(frame.points) for frame in data.frames["test"]) == 5394
    batches = list(data.train_dataloader())
    assert [tuple(batch.image.shape) for batch in batches] == [(8, 3, 192, 192)] * 4
    assert sum(int(batch.labelled.sum()) for batch in batches) > 16
    batch = next(iter(data.test_dataloader()))
    assert all(frame.exhaustive for frame in batch.frames)
    assert len({frame.size for frame in batch.frames}) == 1
