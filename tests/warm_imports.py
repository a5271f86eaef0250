"""Imports what a training imports late, for the process that ``launching`` forks from."""

import torch

from carcinosis_loc.models import HRNet

torch.set_num_threads(1)
HRNet(width=4, stem_width=4, stem_blocks=1, modules=(1, 1, 1), blocks=1)
