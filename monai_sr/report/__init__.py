"""Figures of results; drawn without a display, and the same each time."""

from monai_sr.report.figures import (
    comparison_figure,
    evaluation_figure,
    power_spectrum_figure,
    save_figure,
    training_figure,
)

__all__ = [
    "comparison_figure",
    "evaluation_figure",
    "power_spectrum_figure",
    "save_figure",
    "training_figure",
]
