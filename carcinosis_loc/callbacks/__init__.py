"""What is not the model: checkpoints, configuration, progress, results, pictures, predictions."""

from carcinosis_loc.callbacks.checkpoints import AtomicCheckpointIO, BestCheckpoint, LastCheckpoint
from carcinosis_loc.callbacks.configuration import ConfigFile
from carcinosis_loc.callbacks.conspicuous_first import ConspicuousFirst
from carcinosis_loc.callbacks.finite import FiniteLoss
from carcinosis_loc.callbacks.first_batch import FirstBatch
from carcinosis_loc.callbacks.inference import Inference
from carcinosis_loc.callbacks.label_chance import LabelChance
from carcinosis_loc.callbacks.mistakes import MistakeFiles
from carcinosis_loc.callbacks.pictures import Pictures
from carcinosis_loc.callbacks.predictions import PredictionFiles
from carcinosis_loc.callbacks.progress import Progress
from carcinosis_loc.callbacks.results import ResultFiles
from carcinosis_loc.callbacks.same_training import SameTraining
from carcinosis_loc.callbacks.teacher import Teacher

__all__ = [
    "AtomicCheckpointIO",
    "BestCheckpoint",
    "ConfigFile",
    "ConspicuousFirst",
    "FiniteLoss",
    "FirstBatch",
    "Inference",
    "LabelChance",
    "LastCheckpoint",
    "MistakeFiles",
    "Pictures",
    "PredictionFiles",
    "Progress",
    "ResultFiles",
    "SameTraining",
    "Teacher",
]
