"""Models in files that run without PyTorch: written by ``carcloc export``, read by ``predict`` and ``load``."""

from carcinosis_loc.export.model import ExportedModel, Runtime
from carcinosis_loc.export.module import ExportedModule, exported_settings

__all__ = ["ExportedModel", "ExportedModule", "Runtime", "exported_settings"]
