"""Commands on reader studies: `study build`, `study export` and `study power`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from monai_sr.cli.common import OverwriteOption, advance, console, progress_bar
from monai_sr.errors import InputError

if TYPE_CHECKING:
    from monai_sr.study import Estimate, Summary

study = typer.Typer(help="Reader studies: which images do readers prefer?", no_args_is_help=True)

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study, with key.json.")]


@study.callback()
def _study() -> None:
    """Commands on reader studies."""


@study.command()
def build(
    conditions: Annotated[
        list[str],
        typer.Argument(
            metavar="CONDITION",
            help="Folders of the same cases under the same names, such as bicubic=FOLDER edsr=FOLDER.",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="Folder to write: a page for each reader, and the key.")],
    design: Annotated[
        str, typer.Option(help="2afc: which of two images is preferred; mos: how good one is, 1 to 5.")
    ] = "2afc",
    readers: Annotated[int, typer.Option(min=1, help="How many readers.")] = 1,
    slices: Annotated[
        int, typer.Option(min=1, help="Most slices of a case to page through, evenly spaced.")
    ] = 1,
    repeat: Annotated[
        float, typer.Option(min=0, max=1, help="Share of trials asked twice, for a reader's own agreement.")
    ] = 0.0,
    question: Annotated[
        str | None, typer.Option(help="What is asked above the images; must not name a condition.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of orders and sides; the key keeps it. A new one by default.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Write blinded pages, one for each reader, who never learns which image is of which condition."""
    from monai_sr.study import Design, build_study, parse_condition

    if design not in [known.value for known in Design]:
        raise InputError(f"There is no design {design}: use 2afc or mos.")
    parsed = [parse_condition(text) for text in conditions]
    with progress_bar() as bar:
        task = bar.add_task("reading cases", total=None)
        key = build_study(
            parsed,
            out,
            design=Design(design),
            readers=readers,
            slices=slices,
            repeat=repeat,
            question=question,
            seed=seed,
            overwrite=overwrite,
            on_case=lambda done, total: advance(bar, task, done, total),
        )
    counts = {"page": readers, "trial": len(key.readers[0].trials), "case": len(key.cases)}
    pages, trials, cases = (f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items())
    console.print(f"Written: {out}: {pages} of {trials} on {cases}", highlight=False, soft_wrap=True)
    console.print(
        "Give each reader their page alone; key.json, which unblinds it, stays with you.", highlight=False
    )


@study.command()
def export(
    folder: StudyArgument,
    answers: Annotated[
        list[Path], typer.Argument(metavar="ANSWERS", help="Files that the pages saved, one a reader.")
    ],
    scores: Annotated[
        Path | None, typer.Option("--csv", help="Scores as iMRMC's R package takes them: CSV to write.")
    ] = None,
    imrmc: Annotated[
        Path | None, typer.Option(help="Input file of the program iMRMC to write; ratings need --truth.")
    ] = None,
    trials: Annotated[
        Path | None, typer.Option(help="Every trial with its time, repeated ones too: CSV to write.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="CSV of case and truth (0 or 1), where ratings are of confidence.")
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Join answers with the key, show what was found, and write tables."""
    from monai_sr.study import (
        Design,
        join_scores,
        modalities,
        read_answers,
        read_key,
        read_truth,
        summarise,
        write_imrmc,
        write_scores,
        write_trials,
    )

    wanted = [path for path in (scores, imrmc, trials) if path is not None]
    _check_files(wanted, [*answers, *([truth] if truth else [])], overwrite)
    key = read_key(folder)
    given = read_answers(key, answers)
    known = read_truth(key, truth) if truth else {}
    if known and key.design is Design.PREFERENCE:
        raise InputError("Preferences have no truth: leave --truth out.")
    every = [answer for one in given.values() for answer in one]
    found = join_scores(key, every)
    if imrmc is not None:
        write_imrmc(imrmc, key, found, known)
    if scores is not None:
        write_scores(scores, found, known)
    if trials is not None:
        write_trials(trials, key, every)
    console.print(
        f"{len(given)} of {len(key.readers)} readers, {len(key.cases)} cases. Modalities in iMRMC's files: "
        + "; ".join(f"{number} {name}" for number, name in enumerate(modalities(key), start=1)),
        highlight=False,
        soft_wrap=True,
    )
    _show(summarise(key, given), is_share=key.design is Design.PREFERENCE)
    for path in wanted:
        console.print(f"Written: {path}", highlight=False, soft_wrap=True)


@study.command()
def power(
    preference: Annotated[
        float, typer.Option(min=0, max=1, help="Share of answers for one condition that you expect.")
    ],
    readers: Annotated[int, typer.Option(min=1, help="How many readers.")] = 1,
    cases: Annotated[
        int | None, typer.Option(help="Show the power of so many; by default, how many are needed.")
    ] = None,
    wanted: Annotated[float, typer.Option("--power", help="Probability of finding it.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="Two-sided level of the test.")] = 0.05,
    reader_correlation: Annotated[
        float, typer.Option(help="Of one reader's answers to two cases; see a pilot's export.")
    ] = 0.02,
    case_correlation: Annotated[
        float, typer.Option(help="Of two readers' answers to one case; see a pilot's export.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 0,
) -> None:
    """Tell how many cases a study of preference needs, or its power; readers and cases are random."""
    from monai_sr.study import Plan, plan_cases, power_of

    plan = Plan(preference, readers, reader_correlation, case_correlation, alpha)
    number = cases if cases is not None else plan_cases(plan, wanted, seed)
    reached = power_of(plan, number, seed)
    console.print(
        f"{number} cases, {readers} {'reader' if readers == 1 else 'readers'}: power {reached:.3f} to find "
        f"a preference of {preference:g} at the two-sided level {alpha:g}",
        highlight=False,
        soft_wrap=True,
    )
    how = (
        "Exact binomial test; it holds for this one reader, not for others"
        if readers == 1
        else f"Simulated with random readers (correlation {reader_correlation:g}) and random cases "
        f"({case_correlation:g})"
    )
    console.print(how, highlight=False, soft_wrap=True)


def _check_files(wanted: Sequence[Path], read: Sequence[Path], overwrite: bool) -> None:
    """Refuse outputs before anything is written."""
    taken = {path.resolve() for path in read}
    for path in wanted:
        if path.resolve() in taken:
            raise InputError(f"{path} is named twice: give every file a name of its own.")
        taken.add(path.resolve())
        if not path.parent.is_dir():
            raise InputError(f"The folder {path.parent} does not exist: make it first.")
        if path.exists() and not (overwrite and path.is_file()):
            raise InputError(f"{path} exists; name another file or add --overwrite.")


def _show(summary: Summary, is_share: bool) -> None:
    """Print what was found."""

    def number(value: float, share: bool) -> str:
        if math.isnan(value):
            return "-"
        return f"{100 * value:.1f} %" if share else f"{value:.2f}"

    def table(title: str, estimates: Sequence[Estimate], share: bool) -> None:
        shown = Table(
            title,
            "who",
            *(Column(name, justify="right") for name in ("answers", "mean", "from", "to")),
            box=None,
        )
        for one in estimates:
            values = [number(value, share) for value in (one.value, one.low, one.high)]
            shown.add_row(one.what, one.who, str(one.n), *values)
        if estimates:
            console.print(shown)

    table("preferred" if is_share else "rating", summary.results, is_share)
    table("side", summary.left, True)
    table("repeated", summary.agreement, True)
    seconds = ", ".join(f"{who} {value:.1f} s" for who, value in summary.seconds.items())
    console.print(f"Median time of an answer: {seconds}", highlight=False, soft_wrap=True)
    console.print(
        "Intervals are of 95 %; over all readers, readers and cases are random.",
        highlight=False,
        soft_wrap=True,
    )
    if summary.correlations is not None:
        reader, case = summary.correlations
        console.print(
            f"For the power of a next study: reader correlation {reader:.3f}, case correlation {case:.3f}",
            highlight=False,
            soft_wrap=True,
        )
