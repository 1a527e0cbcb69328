"""How far a super-resolved image can be believed."""

from monai_sr.trust.consistency import Consistency, DataConsistency

__all__ = ["Consistency", "DataConsistency"]
