"""Schedules in PyTorch: the native Scheduler, a watch, and drop-ins for the classes of torch.optim.lr_scheduler."""

from torch.optim.lr_scheduler import LRScheduler

from .averaging import SWALR
from .compat import allow_schedules
from .composites import ChainedScheduler, SequentialLR
from .decaying import ConstantLR, CosineAnnealingLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from .device import OnDevice, on_device
from .lambdas import LambdaLR, MultiplicativeLR, ReduceLROnPlateau
from .periodic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from .scheduler import Scheduler
from .watch import RateError, Watch

__all__ = [
    "SWALR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OnDevice",
    "OneCycleLR",
    "PolynomialLR",
    "RateError",
    "ReduceLROnPlateau",
    "Scheduler",
    "SequentialLR",
    "StepLR",
    "Watch",
    "on_device",
]

allow_schedules()
