"""Schedules in PyTorch: the native Scheduler, a watch, and drop-ins for the classes of torch.optim.lr_scheduler."""

from ..errors import missing

try:
    from torch.optim.lr_scheduler import LRScheduler
except ModuleNotFoundError as error:
    raise missing("annealing.torch", error, "torch") from None

from .compat import allow_schedules
from .composites import ChainedScheduler, SequentialLR
from .decaying import SWALR, ConstantLR, CosineAnnealingLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from .device import OnDevice, on_device
from .lambdas import LambdaLR, MultiplicativeLR, ReduceLROnPlateau
from .periodic import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from .range_test import RangeTest, find
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
    "RangeTest",
    "RateError",
    "ReduceLROnPlateau",
    "Scheduler",
    "SequentialLR",
    "StepLR",
    "Watch",
    "find",
    "on_device",
]

allow_schedules()
