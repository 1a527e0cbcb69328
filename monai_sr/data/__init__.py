"""Files to MONAI: a reader for `LoadImaged` and the parts of a datalist."""

from monai_sr.data.datalist import load_part, patient_weights
from monai_sr.data.volume_reader import VolumeReader

__all__ = ["VolumeReader", "load_part", "patient_weights"]
