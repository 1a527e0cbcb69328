"""Image quality: what MONAI lacks, and the one convention under which every image is scored."""

from monai_sr.metrics.feature_distance import feature_distance
from monai_sr.metrics.haar_psi import HaarPSIMetric, haar_psi
from monai_sr.metrics.image_quality import image_quality
from monai_sr.metrics.power_spectrum import SpectrumErrorMetric, radial_power_spectrum, spectrum_error
from monai_sr.metrics.psnr import CappedPSNRMetric

__all__ = [
    "CappedPSNRMetric",
    "HaarPSIMetric",
    "SpectrumErrorMetric",
    "feature_distance",
    "haar_psi",
    "image_quality",
    "radial_power_spectrum",
    "spectrum_error",
]
