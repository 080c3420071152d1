"""Schedules in PyTorch: drop-ins for the classes of torch.optim.lr_scheduler, and a watch."""

from .dropins import CosineAnnealingLR, CosineAnnealingWarmRestarts, StepLR
from .watch import RateError, Watch

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "RateError", "StepLR", "Watch"]
