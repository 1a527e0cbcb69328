"""Figures and pages of results; made without a display, and the same each time."""

from monai_sr.report.comparison import Comparison, Encoded, Picture, encode
from monai_sr.report.figures import (
    comparison_figure,
    evaluation_figure,
    power_spectrum_figure,
    roc_figure,
    save_figure,
    training_figure,
)
from monai_sr.report.maps import hallucination_figure
from monai_sr.report.page import Illustration, Table, check_page, write_page, write_report
from monai_sr.report.slices import limit

__all__ = [
    "Comparison",
    "Encoded",
    "Illustration",
    "Picture",
    "Table",
    "check_page",
    "comparison_figure",
    "encode",
    "evaluation_figure",
    "hallucination_figure",
    "limit",
    "power_spectrum_figure",
    "roc_figure",
    "save_figure",
    "training_figure",
    "write_page",
    "write_report",
]
