"""Image quality: what MONAI lacks, and the one convention under which every image is scored."""

from monai_sr.metrics.edge_response import EdgeResponse, edge_response
from monai_sr.metrics.error_split import error_split
from monai_sr.metrics.feature_distance import feature_distance
from monai_sr.metrics.fourier_ring import cutoff_map, fourier_ring_correlation
from monai_sr.metrics.haar_psi import HaarPSIMetric, haar_psi
from monai_sr.metrics.image_quality import image_quality
from monai_sr.metrics.power_spectrum import SpectrumErrorMetric, radial_power_spectrum, spectrum_error
from monai_sr.metrics.psnr import CappedPSNRMetric

__all__ = [
    "CappedPSNRMetric",
    "EdgeResponse",
    "HaarPSIMetric",
    "SpectrumErrorMetric",
    "cutoff_map",
    "edge_response",
    "error_split",
    "feature_distance",
    "fourier_ring_correlation",
    "haar_psi",
    "image_quality",
    "radial_power_spectrum",
    "spectrum_error",
]
