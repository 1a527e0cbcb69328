from __future__ import annotations

from monai_sr.evaluate import evaluate, read_datalist
from monai_sr.transforms import BicubicDownsample
from tests.evaluate.runs import Sharpened


def test_figures_are_drawn_for_each_upscaler_and_only_if_wanted(datalist, tmp_path):
    result = evaluate(
        {"one": Sharpened(0.1), "Two, stronger": Sharpened(0.2)},
        read_datalist(datalist),
        degradation=BicubicDownsample(2),
        scale_factor=2,
        out_dir=tmp_path / "out",
        patient_figures=False,
        max_slices=1,
    )
    drawn = {path.name for path in result.out_dir.glob("*.png")}
    assert drawn == {"power_spectrum.png", "worst_slice_one.png", "worst_slice_two_stronger.png"}
