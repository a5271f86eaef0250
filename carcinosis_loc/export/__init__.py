"""Models in one file: written by ``carcloc export``; those of ONNX are read by ``predict`` and ``load``."""

from carcinosis_loc.export.model import ExportedModel, Runtime
from carcinosis_loc.export.module import ExportedModule, exported_settings

__all__ = ["ExportedModel", "ExportedModule", "Runtime", "exported_settings"]
