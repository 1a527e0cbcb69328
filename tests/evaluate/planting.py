"""An evaluation of two methods alike but for a square of which the images know nothing."""

from __future__ import annotations

from monai_sr.evaluate import evaluate, read_datalist
from monai_sr.transforms import BicubicDownsample
from tests.evaluate.runs import Sharpened

HONEST, PLANTING = "honest", "planting"
SIDE, ROW, COLUMN = 14, 18, 25


class Planting(Sharpened):
    """Draws a white square with a black frame into every slice."""

    def predict(self, frames):
        finer = super().predict(frames)
        finer[:, ROW - 4 : ROW + SIDE + 4, COLUMN - 4 : COLUMN + SIDE + 4] = frames.min()
        finer[:, ROW : ROW + SIDE, COLUMN : COLUMN + SIDE] = frames.max()
        return finer


def run(datalist, out_dir):
    return evaluate(
        {HONEST: Sharpened(), PLANTING: Planting()},
        read_datalist(datalist),
        degradation=BicubicDownsample(2),
        scale_factor=2,
        out_dir=out_dir,
        hallucination=True,
        max_slices=2,
        patient_figures=False,
    )
