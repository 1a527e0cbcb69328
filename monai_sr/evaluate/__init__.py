"""Score an upscaler against interpolation on patients that it has not seen."""

from monai_sr.evaluate.baselines import BASELINES, bicubic, bspline, lanczos
from monai_sr.evaluate.degradations import make_degradation
from monai_sr.evaluate.evaluation import EvaluationResult, evaluate
from monai_sr.evaluate.pairs import EvaluationItem, read_datalist

__all__ = [
    "BASELINES",
    "EvaluationItem",
    "EvaluationResult",
    "bicubic",
    "bspline",
    "evaluate",
    "lanczos",
    "make_degradation",
    "read_datalist",
]
