"""The LightningCLI behind ``carcloc fit | validate | test | predict``."""

import logging
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import ArgumentError
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import Logger

from carcinosis_loc.callbacks import (
    AtomicCheckpointIO,
    BestCheckpoint,
    ConfigFile,
    FiniteLoss,
    FirstBatch,
    Inference,
    LastCheckpoint,
    MistakeFiles,
    Pictures,
    PredictionFiles,
    Progress,
    ResultFiles,
    SameTraining,
)
from carcinosis_loc.configs import CONFIG_FLAGS, option_values, resolve_configs
from carcinosis_loc.data import PointDataModule
from carcinosis_loc.data.stream import stream_loader
from carcinosis_loc.detector import FALLBACK_THRESHOLD
from carcinosis_loc.errors import InputError
from carcinosis_loc.explanations import PARSERS, check_norms, in_one_line, refused
from carcinosis_loc.export import ExportedModule
from carcinosis_loc.loggers import csv_logger, dashboard, without_paths
from carcinosis_loc.models import read_checkpoint
from carcinosis_loc.module import PointModule
from carcinosis_loc.recipe import load_net, make_recipe, read_recipe
from carcinosis_loc.resuming import EXPORTED, check_length, with_checkpoint
from carcinosis_loc.run_folder import check_folder, hold_run, run_folder
from carcinosis_loc.trust import enforce, say_what_is_foreign

logger = logging.getLogger(__name__)

# Our samplers shard by themselves, and evaluate each frame exactly once.
TRAINER_DEFAULTS = {
    "use_distributed_sampler": False,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 10,
    "enable_model_summary": False,
}


def run(words: list[str]) -> "RunCLI":
    """Run one of the four commands; ``words`` is the command line after ``carcloc``. What ran is returned.

    Raises:
        InputError: for all that the person at the prompt can mend, before training starts and with nothing written.
    """
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    enforce()
    command, options = words[0], resolve_configs(words[1:])
    say_what_is_foreign(option_values(options, *CONFIG_FLAGS))
    if not {"--help", "-h", "--print_config"} & set(options):
        options = with_checkpoint(command, options)
    exported = option_values(options, "--ckpt_path")[-1:]
    with in_one_line(command, options):
        return RunCLI(
            ExportedModule if exported and exported[0].endswith(EXPORTED) else PointModule,
            PointDataModule,
            seed_everything_default=0,
            save_config_callback=None,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            trainer_defaults=TRAINER_DEFAULTS,
            parser_kwargs=PARSERS,
            args=[command, *options],
        )


class RunCLI(LightningCLI):
    """Adds to Lightning's: our callbacks and loggers, checks before anything starts, one folder for a run."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what carcloc has beyond model, data and trainer."""
        modes = Literal["offline", "online", "off"]
        parser.add_argument("--wandb", type=modes, default="offline", help="Weights & Biases dashboards.")
        parser.add_argument("--wandb_project", type=str, default="carcinosis_loc", help="Where they go when online.")
        parser.add_lightning_class_args(Pictures, "pictures")
        parser.add_lightning_class_args(Inference, "inference")  # before those that ask from how many sides
        parser.add_lightning_class_args(PredictionFiles, "predictions")
        parser.add_argument(
            "--anonymize", type=bool, default=False, help="No file or folder name in anything that is written."
        )
        parser.link_arguments("seed_everything", "data.seed")
        parser.link_arguments("anonymize", "data.anonymize")
        parser.link_arguments("anonymize", "predictions.anonymize")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse without LightningCLI's warning about ``sys.argv``; choose the run's folder."""
        assert isinstance(args, list)
        try:
            self.config = parser.parse_args(args)
        except (ArgumentError, InputError, OSError):
            raise
        except Exception as error:  # whatever a value without sense leads the parser to
            raise InputError(f"config: {error}") from error
        settings = self.config[args[0]]
        if not settings.trainer.default_root_dir:
            settings.trainer.default_root_dir = str(run_folder(args[0], args[1:], settings.ckpt_path))

    def _parse_ckpt_path(self) -> None:
        """Nothing: Lightning would let ``hyper_parameters`` of a checkpoint replace the model, past all our checks."""

    def instantiate_classes(self) -> None:
        """Build data, model and trainer; an argument that one of them refuses is bad input."""
        try:
            super().instantiate_classes()
        except (InputError, OSError):
            raise
        except Exception as error:  # whatever an argument without sense leads a constructor to
            raise refused(error) from error

    def _set_seed(self) -> None:
        try:
            super()._set_seed()
        except ValueError as error:
            raise InputError(f"--seed_everything: {error}") from error

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Check all input first, then build the trainer with our callbacks and loggers."""
        command = str(self.subcommand)
        settings = self.config[command]
        self.datamodule.check(command)
        if isinstance(self.model, PointModule):
            self.model.optimizer(self.model.parameters())  # a rate below zero is refused here, not in training
        if command != "fit" and isinstance(self.model, PointModule):
            load_net(Path(settings.ckpt_path), read_checkpoint(Path(settings.ckpt_path)), self.model.net)
        if command == "fit":
            check_length(settings.ckpt_path, settings.trainer.max_epochs, settings.trainer.max_steps)
        root = Path(settings.trainer.default_root_dir)
        self._dump_config()
        self.model.recipe = make_recipe(self.config_dump)
        progress = [] if settings.trainer.enable_progress_bar is False else [Progress()]
        self._began = FirstBatch()
        callbacks: list[Callback] = [*progress, ConfigFile(self._config_text(), command), ResultFiles(), self._began]
        if command == "fit" and settings.trainer.enable_checkpointing is not False:
            callbacks += [BestCheckpoint(root / "checkpoints"), LastCheckpoint(root / "checkpoints")]
        if command == "fit":
            callbacks += [FiniteLoss(), SameTraining(self.config_dump)]
        if command == "test":
            callbacks.append(MistakeFiles())
        trainer_settings = self.config_init[command].trainer
        trainer_settings.callbacks = [*_as_list(trainer_settings.callbacks), *callbacks]
        trainer_settings.plugins = [*_as_list(trainer_settings.plugins), AtomicCheckpointIO()]
        if trainer_settings.logger is None:
            trainer_settings.logger = self._loggers(command, root)
        if command == "fit" and trainer_settings.logger:
            trainer_settings.callbacks.append(LearningRateMonitor(logging_interval="step"))
        trainer = super().instantiate_trainer(**kwargs)
        check_norms(trainer, settings.trainer.sync_batchnorm and command == "fit")
        if self.datamodule.stream is not None:
            stream_loader(self.datamodule.stream, trainer.world_size)  # refuses several processes before they start
        check_folder(root, fresh=command == "fit" and settings.ckpt_path is None)
        if trainer.is_global_zero:  # two of one kind would mix their files
            self._lock = hold_run(root, command)
        return trainer

    def before_fit(self) -> None:
        """Say what goes without validation frames."""
        if self.config["fit"].data.val_json is None:
            logger.warning(
                "no --data.val_json: the last epoch will count as the best, with a threshold of %.1f and without "
                "pictures; carcloc calibrate can choose a threshold later",
                FALLBACK_THRESHOLD,
            )

    def after_fit(self) -> None:
        """Say where the checkpoints are."""
        folder = Path(self.trainer.default_root_dir) / "checkpoints"
        if not self.trainer.is_global_zero or not (folder / "best.ckpt").exists():
            return
        print(f"checkpoints: {folder} (best.ckpt, last.ckpt)")
        chosen = read_recipe(folder / "best.ckpt").calibration
        if self.model.decoder.threshold is None:
            print(
                f"threshold of best.ckpt: {chosen or f'{FALLBACK_THRESHOLD}, since there was nothing to choose it by'}"
            )

    def before_test(self) -> None:
        """Take the checkpoint's threshold over before the first batch; say so where it has none."""
        self._restore_threshold()

    before_validate = before_test
    before_predict = before_test

    def _run_subcommand(self, subcommand: str) -> None:
        """Run; a checkpoint that cannot be taken up is bad input."""
        with self._began.blaming(self.config[subcommand].ckpt_path):
            super()._run_subcommand(subcommand)

    def test(self, **options: Any) -> None:
        """Test without Lightning's own table; ``ResultFiles`` prints ours."""
        self.trainer.test(**options | {"verbose": False})

    def validate(self, **options: Any) -> None:
        """Validate without Lightning's own table."""
        self.trainer.validate(**options | {"verbose": False})

    def predict(self, **options: Any) -> None:
        """Predict; an exported file has no weights for Lightning to load."""
        if isinstance(self.model, ExportedModule):
            options["ckpt_path"] = None
        self.trainer.predict(**options)

    def _restore_threshold(self) -> None:
        path = self.config[str(self.subcommand)].ckpt_path
        if isinstance(self.model, PointModule):
            self.model.calibration = read_recipe(Path(path)).calibration
        if self.model.decoder.threshold is None and self.model.calibration is None:
            logger.warning(
                "%s holds no calibrated threshold: %.1f is used; --model.decoder.threshold sets another",
                path,
                FALLBACK_THRESHOLD,
            )

    def _loggers(self, command: str, root: Path) -> list[Logger] | bool:
        """CSV for every fit; Weights & Biases, offline unless asked, for all that has a dashboard."""
        settings = self.config[command]
        if command == "predict" or settings.trainer.fast_dev_run:
            return False
        loggers = [csv_logger(root)] if command == "fit" else []
        if settings.wandb != "off":
            name = None if settings.anonymize else root.name
            loggers.append(dashboard(root, command, self.config_dump, settings.wandb_project, settings.wandb, name))
        return loggers

    def _config_text(self) -> str:
        command = str(self.subcommand)
        text = str(self._parser(command).dump(self.config[command], skip_unset=False))
        return yaml.safe_dump(without_paths(yaml.safe_load(text))) if self.config[command].anonymize else text


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
