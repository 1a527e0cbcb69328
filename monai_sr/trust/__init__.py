"""How far a super-resolved image can be believed."""

from monai_sr.trust.consistency import DataConsistency
from monai_sr.trust.frames import FrameCheck
from monai_sr.trust.guard import DomainGuard, Findings

__all__ = ["DataConsistency", "DomainGuard", "Findings", "FrameCheck"]
