"""The evaluation: every slice by every method, means over patients, tables and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from monai.transforms import Randomizable
from numpy.typing import NDArray
from torch import nn

from monai_sr.errors import InputError, MonaiSRError
from monai_sr.evaluate.baselines import BASELINES
from monai_sr.evaluate.conventions import describe_conventions
from monai_sr.evaluate.examples import BASELINE, Example, Frames, file_examples, nearest_to_median
from monai_sr.evaluate.hallucination import (
    HALLUCINATION_CONVENTIONS,
    HALLUCINATION_METRICS,
    HallucinationTests,
)
from monai_sr.evaluate.page import (
    encode_example,
    encode_suspect,
    illustrate_lesions,
    shown_patients,
    write_evaluation_page,
)
from monai_sr.evaluate.pairs import Degradation, EvaluationItem, Pairs, load_pairs
from monai_sr.evaluate.statistics import Estimate, ImageScore, PatientScore, average_patients, summarise
from monai_sr.evaluate.tables import write_image_table, write_json, write_markdown, write_patient_table
from monai_sr.io.atomic import atomic_folder, check_destination
from monai_sr.metrics import feature_distance, image_quality, radial_power_spectrum
from monai_sr.metrics.feature_distance import VGG_DISTANCE, VGG_DISTANCE_TITLE
from monai_sr.metrics.image_quality import METRICS
from monai_sr.metrics.psnr import MAX_PSNR
from monai_sr.report import Encoded, Illustration, power_spectrum_figure, save_figure

REFERENCE = "high resolution"
SEED = 0
WRITTEN_FILES = (
    r"per_image\.csv|per_patient\.csv|results\.(md|json)|(power_spectrum|lesion_roc)\.png|report\.html"
    r"|(worst_slice|hallucination|patient_\d{3,})_[0-9a-z_]+\.png"
)
"""Regular expression of the names of an evaluation's files."""
SPECTRUM_FREQUENCIES = np.linspace(1 / 128, 0.5, 64)

Progress = Callable[[int, int], None]


class FrameUpscaler(Protocol):
    """What an evaluation asks of an upscaler."""

    def predict(self, frames: NDArray[Any]) -> NDArray[Any]:
        """Bring frames [n, h, w] to [n, scale_factor x h, scale_factor x w], in the same unit."""


@dataclass(frozen=True)
class EvaluationResult:
    """Outcome of an evaluation.

    Args:
        summary: method -> metric -> mean over patients with its interval.
        differences: method -> metric -> mean paired difference to bicubic with its interval.
        patient_scores: mean scores of each patient and method.
        image_scores: scores of each slice and method.
        counts: `patients`, `files`, `slices`, `slices_left_out`, `psnr_capped`.
        conventions: name -> sentence, what the tables state.
        out_dir: folder of the tables and figures.
    """

    summary: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Estimate]]
    patient_scores: Sequence[PatientScore]
    image_scores: Sequence[ImageScore]
    counts: Mapping[str, int]
    conventions: Mapping[str, str]
    out_dir: Path


@dataclass
class _Run:
    """What grows while the files pass by; of their pixels only some examples stay."""

    scores: list[ImageScore] = field(default_factory=list)
    spectra: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    worst: dict[str, Example] = field(default_factory=dict)
    shown: list[Encoded] = field(default_factory=list)
    n_left_out: int = 0
    hallucination: HallucinationTests | None = None


def evaluate(
    upscalers: Mapping[str, FrameUpscaler],
    items: Sequence[EvaluationItem],
    *,
    degradation: Degradation,
    scale_factor: int,
    out_dir: str | Path,
    max_slices: int | None = None,
    features: nn.Module | None = None,
    hallucination: bool = False,
    about: Mapping[str, str] | None = None,
    patient_figures: bool = True,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> EvaluationResult:
    """Score upscalers and the baselines on degraded high-resolution images; write tables and figures.

    One file is in memory at a time. The same input gives the same files.

    Args:
        upscalers: name in the tables -> what is evaluated; at least one.
        items: high-resolution files with their patients; see `read_datalist`.
        degradation: array transform that makes the low-resolution slice, (1, H, W) to (1, H / scale_factor,
            W / scale_factor); a random one is seeded.
        scale_factor: integer >= 2, the upscalers' and the degradation's.
        out_dir: new or empty folder for per_image.csv, per_patient.csv, results.md, results.json, report.html
            and figures; it appears once everything is written.
        max_slices: at most so many slices of each file, evenly spaced; None for all.
        features: network of `feature_distance`, for images in [0, 1]; None leaves that metric out.
        hallucination: whether to measure what a method makes up and leaves out, and to insert lesions; asks
            for a degradation that is not random.
        about: facts on the upscalers that the tables state, such as bundle and `weights_sha256`.
        patient_figures: whether to draw, of every patient, the slice of median gain by each upscaler.
        overwrite: whether `out_dir` may hold an earlier evaluation, which is then replaced; a folder that
            holds anything else is refused.
        on_progress: called with the number of files done and of all files.

    Returns:
        The scores and where they were written.

    Raises:
        InputError: if there is no item, `out_dir` holds something, a file cannot be evaluated, or no slice of
            a patient has signal.
        MonaiSRError: if an upscaler gives values that are not finite or the results cannot be written.
        ValueError: if there is no upscaler or two have names alike, `scale_factor` < 2, `max_slices` < 1,
            `hallucination` meets a random degradation, or an upscaler or the degradation gives another size
            than `scale_factor` says.
    """
    if scale_factor < 2:
        raise ValueError(f"scale_factor is {scale_factor}; give an integer of at least 2")
    if max_slices is not None and max_slices < 1:
        raise ValueError(f"max_slices is {max_slices}; give at least 1, or None for all")
    names = {file_stem(name) for name in upscalers}
    if not names or len(names) < len(upscalers) or names & {file_stem(name) for name in BASELINES}:
        raise ValueError(f"upscalers are {list(upscalers)}; give at least one, each of a name of its own")
    if not items:
        raise InputError("there is no file to evaluate: name at least one")
    if hallucination and _is_random(degradation):
        raise ValueError("degradation is random; give one that is not, or leave hallucination out")
    if isinstance(degradation, Randomizable):
        degradation.set_random_state(seed=SEED)
    out_dir = Path(out_dir)
    for item in items:
        check_destination(out_dir, item.path, folder=True, overwrite=overwrite, written=WRITTEN_FILES)
    run = _Run()
    if hallucination:
        predict = {name: upscaler.predict for name, upscaler in upscalers.items()}
        run.hallucination = HallucinationTests(predict, degradation, scale_factor)
    with atomic_folder(out_dir) as folder:
        n_done = 0
        patients = _by_patient(items)
        shown = shown_patients(len(patients), len(upscalers))
        for patient, files in enumerate(patients, start=1):
            examples: list[Example] = []
            n_scored = len(run.scores)
            for file, item in files:
                pairs = load_pairs(item.path, degradation, scale_factor, max_slices)
                run.n_left_out += pairs.n_left_out
                if pairs.frames:
                    methods = _enlarge(pairs, upscalers, scale_factor, item.path)
                    _score_file(run, pairs, methods, features, scale_factor, patient, file)
                    examples += _examples(run, pairs, methods, list(upscalers), patient, file)
                n_done += 1
                if on_progress is not None:
                    on_progress(n_done, len(items))
            if not examples:
                raise InputError(f"{files[0][1].path} has no slice with signal: leave its patient out")
            for name in upscalers:
                example = nearest_to_median(name, run.scores[n_scored:], examples)
                if patient in shown:
                    run.shown.append(encode_example(example, "median"))
                if patient_figures:
                    example.draw(folder / f"patient_{patient:03d}_{file_stem(name)}.png")
        return _conclude(run, items, scale_factor, degradation, max_slices, about or {}, folder, out_dir)


def file_stem(name: str) -> str:
    """A method's name as part of a file's name: lower case letters, digits and underscores."""
    return re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def _is_random(degradation: Degradation) -> bool:
    parts = getattr(degradation, "transforms", None)  # a MONAI Compose is always Randomizable itself
    return any(map(_is_random, parts)) if parts is not None else isinstance(degradation, Randomizable)


def _by_patient(items: Sequence[EvaluationItem]) -> list[list[tuple[int, EvaluationItem]]]:
    """Numbered files of each patient, in the order of first appearance."""
    groups: dict[str, list[tuple[int, EvaluationItem]]] = {}
    for number, item in enumerate(items, start=1):
        groups.setdefault(item.patient, []).append((number, item))
    return list(groups.values())


def _enlarge(
    pairs: Pairs, upscalers: Mapping[str, FrameUpscaler], scale_factor: int, path: Path
) -> dict[str, Frames]:
    """Every method's slices of one file, clipped to [0, 1]."""
    methods = {name: interpolate(pairs.low, scale_factor) for name, interpolate in BASELINES.items()}
    for name, upscaler in upscalers.items():
        frames = np.asarray(upscaler.predict(pairs.low), dtype=np.float32)
        if frames.shape != pairs.high.shape:
            raise ValueError(
                f"{name} gives {frames.shape} for {pairs.low.shape}; scale_factor {scale_factor} asks for "
                f"{pairs.high.shape}"
            )
        if not np.isfinite(frames).all():
            raise MonaiSRError(f"{name} gives values that are not finite for {path}: check its weights")
        methods[name] = frames
    return {name: frames.clip(0, 1) for name, frames in methods.items()}


def _score_file(
    run: _Run,
    pairs: Pairs,
    methods: Mapping[str, Frames],
    features: nn.Module | None,
    scale_factor: int,
    patient: int,
    file: int,
) -> None:
    """Score every slice of one file by every method."""
    for index, frame in enumerate(pairs.frames):
        target = torch.from_numpy(pairs.high[index])
        images = [torch.from_numpy(frames[index]) for frames in methods.values()]
        distances: Sequence[float] = ()
        if features is not None:
            distances = feature_distance(features, torch.stack(images)[:, None], target[None, None]).tolist()
        made_up: Mapping[str, Mapping[str, float]] = {}
        if run.hallucination is not None:
            title = f"patient {patient}, file {file}, slice {frame}"
            made_up = run.hallucination(pairs, index, methods, title)
        for place, (name, image) in enumerate(zip(methods, images, strict=True)):
            scores = image_quality(image, target, scale_factor)
            if distances:
                scores[VGG_DISTANCE] = distances[place]
            scores |= made_up.get(name, {})
            run.scores.append(ImageScore(patient, file, frame, name, scores))
    for name, frames in {REFERENCE: pairs.high, **methods}.items():
        run.spectra.setdefault(name, []).append(_mean_spectrum(frames))


def _examples(
    run: _Run,
    pairs: Pairs,
    methods: Mapping[str, Frames],
    upscalers: Sequence[str],
    patient: int,
    file: int,
) -> list[Example]:
    """Of one scored file, each upscaler's slice of median gain, the patient's candidate; keep the worst."""
    scores = run.scores[-len(pairs.frames) * len(methods) :]
    examples = []
    for name in upscalers:
        worst, median = file_examples(scores, pairs, methods, name, patient, file)
        if name not in run.worst or worst.gain < run.worst[name].gain:
            run.worst[name] = worst
        examples.append(median)
    return examples


def _mean_spectrum(frames: Frames) -> NDArray[np.float64]:
    """Mean radial power of a file's slices, in dB, at frequencies common to images of all sizes."""
    frequencies, power = radial_power_spectrum(torch.from_numpy(frames)[:, None])
    level = 10 * torch.log10(power.mean(dim=0).clamp_min(1e-30))
    return np.asarray(np.interp(SPECTRUM_FREQUENCIES, frequencies.numpy(), level.numpy()))


def _conclude(
    run: _Run,
    items: Sequence[EvaluationItem],
    scale_factor: int,
    degradation: Degradation,
    max_slices: int | None,
    about: Mapping[str, str],
    folder: Path,
    out_dir: Path,
) -> EvaluationResult:
    """Average, draw what needs every patient, and write the tables."""
    patients = average_patients(run.scores)
    summary, differences = summarise(patients), summarise(patients, baseline=BASELINE)
    counts = {
        "patients": len({score.patient for score in patients}),
        "files": len(items),
        "slices": sum(score.method == BASELINE for score in run.scores),
        "slices_left_out": run.n_left_out,
        "psnr_capped": sum(score.scores["psnr"] >= MAX_PSNR for score in run.scores),
    }
    conventions = describe_conventions(scale_factor, degradation, max_slices, counts, about)
    marked = [encode_example(example, "worst") for example in run.worst.values()]
    illustrations: list[Illustration] = []
    if run.hallucination is not None:
        conventions |= HALLUCINATION_CONVENTIONS
        for name, suspect in run.hallucination.suspects.items():
            suspect.draw(folder / f"hallucination_{file_stem(name)}.png")
            marked.append(encode_suspect(suspect))
        illustrations = illustrate_lesions(run.hallucination.placements, folder / "lesion_roc.png")
    write_image_table(run.scores, folder / "per_image.csv")
    write_patient_table(patients, folder / "per_patient.csv")
    write_json(summary, differences, patients, conventions, counts, folder / "results.json")
    write_markdown(summary, differences, metric_titles(summary), conventions, folder / "results.md")
    for name, example in run.worst.items():
        example.draw(folder / f"worst_slice_{file_stem(name)}.png")
    spectra = {name: 10 ** (np.mean(levels, axis=0) / 10) for name, levels in run.spectra.items()}
    figure = power_spectrum_figure(SPECTRUM_FREQUENCIES, spectra, nyquist=0.5 / scale_factor)
    save_figure(figure, folder / "power_spectrum.png")
    write_evaluation_page(
        folder / "report.html",
        marked,
        run.shown,
        summary,
        differences,
        metric_titles(summary),
        {"Scale factor": str(scale_factor), **about, "Versions": conventions["versions"]},
        conventions,
        illustrations,
    )
    return EvaluationResult(summary, differences, patients, run.scores, counts, conventions, out_dir)


def metric_titles(summary: Mapping[str, Mapping[str, Estimate]]) -> dict[str, str]:
    """Metric -> heading, of the metrics that were measured."""
    titles = METRICS | {VGG_DISTANCE: VGG_DISTANCE_TITLE} | HALLUCINATION_METRICS
    return {name: title for name, title in titles.items() if name in next(iter(summary.values()))}
