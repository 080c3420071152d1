"""Schedules in PyTorch: drop-ins for the classes of torch.optim.lr_scheduler."""

from .dropins import CosineAnnealingLR, CosineAnnealingWarmRestarts, StepLR
from .scheduler import Scheduler

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts", "Scheduler", "StepLR"]
