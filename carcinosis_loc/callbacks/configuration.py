"""A run's folder holds the configuration that made it."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from carcinosis_loc.files import write_text


class ConfigFile(Callback):
    """Writes the whole configuration: ``config.yaml`` for fit, ``config_test.yaml`` and so on for the others.

    Args:
        text: the configuration as YAML.
        command: ``fit``, ``validate``, ``test`` or ``predict``.
    """

    def __init__(self, text: str, command: str) -> None:
        self.text, self.command = text, command
        self.name = "config.yaml" if command == "fit" else f"config_{command}.yaml"

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write it before anything else happens."""
        if self.command != "fit":
            self._write(trainer)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The same for a training, once the callbacks of the config have not refused it."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            write_text(Path(trainer.default_root_dir) / self.name, self.text)
