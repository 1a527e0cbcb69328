"""How far a super-resolved image can be believed."""

from monai_sr.trust.consistency import DataConsistency
from monai_sr.trust.frames import FrameCheck

__all__ = ["DataConsistency", "FrameCheck"]
