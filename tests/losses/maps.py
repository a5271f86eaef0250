"""Heatmaps of given values."""

import math

import torch


def maps(values, shape=(1, 1, 1, -1)):
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def logit(p):
    return math.log(p / (1 - p))
