"""The slices between the slices of an anisotropic volume."""

from monai_sr.through_plane.through_plane import ThroughPlane

__all__ = ["ThroughPlane"]
