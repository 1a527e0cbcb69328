"""How far a super-resolved image can be believed."""

from monai_sr.trust.consistency import DataConsistency
from monai_sr.trust.frames import FrameCheck
from monai_sr.trust.guard import DomainGuard, Findings
from monai_sr.trust.uncertainty import Calibration, FrameIntervals, IntervalEstimator

__all__ = [
    "Calibration",
    "DataConsistency",
    "DomainGuard",
    "Findings",
    "FrameCheck",
    "FrameIntervals",
    "IntervalEstimator",
]
