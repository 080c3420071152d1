"""Schedules in PyTorch: drop-ins for the classes of torch.optim.lr_scheduler."""

from torch.optim.lr_scheduler import LRScheduler

from .cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from .decays import ConstantLR, CosineAnnealingLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "StepLR",
]
