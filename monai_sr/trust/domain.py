"""What a bundle's training images were, and where another image is not like them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monai_sr.errors import InputError
from monai_sr.trust.appearance import EDGES, MIN_SIDE
from monai_sr.trust.likeness import Likeness
from monai_sr.volume import Volume

SPACING_MARGIN = math.sqrt(2)
"""By how many times pixels may be finer or coarser than those of training: half-way to twice."""

NOISE_MARGIN = 2.0
"""By how many times noise may be weaker or stronger."""

TOLD = 3
"""Statistics that a sentence lists."""

MODALITIES = frozenset(
    ("CR", "CT", "DX", "ES", "IO", "IVUS", "MG", "MR", "NM", "OCT", "OP", "OPT", "PT", "PX", "RF", "US", "XA")
)
"""Values of Modality that may be repeated in a message; what else stands there may be anything."""

_NAMES = {
    "dark": "background",
    "middle": "middle intensity",
    "rim": "intensity at the border",
    "noise": "noise",
    "fall_down": "fall of the spectrum along columns",
    "fall_across": "fall of the spectrum along rows",
    "grain": "power along columns over that along rows",
}
_SHARES = ("dark", "middle", "rim", "noise")
_AXES = {"edge_down": "columns", "edge_across": "rows"}

Range = tuple[float, float]

_NOTHING_SEEN = (
    f"it holds no frame of {MIN_SIDE} x {MIN_SIDE} pixels or more that is not constant, so that its pixels "
    "cannot be compared"
)


@dataclass(frozen=True, eq=False)
class Domain:
    """What the training images of a bundle were, as its card's `domain` says.

    Args:
        images: what they are, for a reader, such as "MR slices".
        modalities: values of Modality that name them.
        body_parts: values of BodyPartExamined that name what was seen; empty where that is not known.
        pixel_spacing_mm: least and greatest of the high-resolution images; None where no file stated it.
        rows_columns: fewest and most of the high-resolution images.
        inverted: whether images of inverted intensities were among them.
        statistics: least and greatest of each statistic, see `appearance`.
        likeness: of the training images.
        limit: distance from it from which an image is unlike them.
        others: likeness of other kinds of images, by what they are.
        edges: by scale factor, least and greatest of the statistics `EDGES` of the high-resolution images
            made coarser by the bundle's degradation, with a margin.
    """

    images: str
    modalities: tuple[str, ...]
    body_parts: tuple[str, ...]
    pixel_spacing_mm: Range | None
    rows_columns: Range
    inverted: bool
    statistics: Mapping[str, Range]
    likeness: Likeness
    limit: float
    others: Mapping[str, Likeness]
    edges: Mapping[int, Mapping[str, Range]]

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Domain | None:
        """What a bundle's card says.

        Args:
            card: content of its metadata.

        Returns:
            The domain; None where the card states none.

        Raises:
            InputError: if what it states cannot be read.
        """
        stated = card.get("domain")
        if stated is None:
            return None
        try:
            spacing = stated["pixel_spacing_mm"]
            return cls(
                images=str(stated["images"]),
                modalities=tuple(map(str, stated["modalities"])),
                body_parts=tuple(map(str, stated["body_parts"])),
                pixel_spacing_mm=None if spacing is None else _range(spacing),
                rows_columns=_range(stated["rows_columns"]),
                inverted=bool(stated["inverted"]),
                statistics={name: _range(stated["statistics"][name]) for name in _NAMES},
                likeness=Likeness(**stated["likeness"]),
                limit=float(stated["limit"]),
                others={name: Likeness(**other) for name, other in stated["others"].items()},
                edges={
                    int(scale.removeprefix("x")): {name: _range(found[name]) for name in EDGES}
                    for scale, found in stated["edges"].items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"The metadata of bundle {card.get('name')} state a domain that cannot be read "
                f"({type(error).__name__}): measure it anew, or take it out."
            ) from error

    def compare(
        self, volume: Volume, seen: Sequence[Mapping[str, float]], scale_factor: int
    ) -> tuple[str, ...]:
        """Where a volume is not like the low-resolution training images.

        Args:
            volume: what is to be super-resolved.
            seen: its statistics, none where they could not be measured; and those of inverted intensities,
                where the training images were inverted, too.
            scale_factor: how much finer it is to be.

        Returns:
            Findings, each a clause with its numbers.
        """
        findings = [*self._said(volume), self._sampling(volume, scale_factor)]
        if seen:
            # What a file says of itself weighs more than what it looks like.
            others = {} if volume.acquisition.modality else self.others
            looks, noise = self._looks(seen, others), self._noise(seen[0])
            findings += [looks, "" if noise in looks else noise]
        else:
            findings.append(_NOTHING_SEEN)
        return tuple(filter(None, findings))

    def describe(self, seen: Sequence[Mapping[str, float]]) -> str:
        """What the looks of a volume were compared with.

        Args:
            seen: as of `compare`.

        Returns:
            A clause with the numbers; empty where nothing was compared.
        """
        if not seen:
            return ""
        found = min(seen, key=self.likeness.distance)
        return f"{self._distance(found)}; {self._told('noise', seen[0]['noise'])}"

    def misfit(self, found: Mapping[str, float], scale_factor: int, kernel: str) -> str:
        """Why a volume cannot come of the bundle's degradation, judged by how its spectrum ends.

        Args:
            found: its statistics, none where they could not be measured.
            scale_factor: of the degradation.
            kernel: its short name.

        Returns:
            A clause with the numbers; empty where nothing speaks against it.
        """
        parts = [text for text, fits in self._edges(found, scale_factor, kernel) if not fits]
        if not parts:
            return ""
        return (
            f"the degradation {kernel} does not fit, as towards Nyquist's frequency power falls, in powers "
            f"of ten, {' and '.join(parts)}"
        )

    def describe_edges(self, found: Mapping[str, float], scale_factor: int, kernel: str) -> str:
        """What `misfit` judges by.

        Args:
            found: as of `misfit`, like the rest.
            scale_factor: likewise.
            kernel: likewise.

        Returns:
            A clause with the numbers; empty where nothing was compared.
        """
        parts = [text for text, _ in self._edges(found, scale_factor, kernel)]
        return f"towards Nyquist's frequency power falls, in powers of ten, {' and '.join(parts)}" * bool(
            parts
        )

    def _edges(
        self, found: Mapping[str, float], scale_factor: int, kernel: str
    ) -> Iterator[tuple[str, bool]]:
        """How the spectrum ends along each axis, and whether the degradation gives that."""
        limits = self.edges.get(scale_factor, {}) if found else {}
        for name, axis in _AXES.items() if limits else ():
            low, high = limits[name]
            fall = round(-found[name], 3) + 0.0  # never -0.000
            text = f"by {fall:.3f} along {axis} where {kernel} gives {-high:.3f} to {-low:.3f}"
            yield text, low <= found[name] <= high

    def _said(self, volume: Volume) -> list[str]:
        """What the file itself says against it."""
        findings = []
        modality, body_part = volume.acquisition.modality, volume.acquisition.body_part
        if modality and modality not in self.modalities:
            name = modality if modality in MODALITIES else "another"
            findings.append(f"modality {name}, trained on {', '.join(self.modalities)}")
        if body_part and self.body_parts and body_part not in self.body_parts:
            findings.append(f"another body part, trained on {', '.join(self.body_parts)}")
        return findings

    def _sampling(self, volume: Volume, scale_factor: int) -> str:
        """Pixels far finer or coarser than those of training; by their number where no spacing is known."""
        if self.pixel_spacing_mm is None:
            low, high = (size / scale_factor for size in self.rows_columns)
            rows, columns = volume.array.shape[1:]
            if low / SPACING_MARGIN <= min(rows, columns) and max(rows, columns) <= high * SPACING_MARGIN:
                return ""
            return (
                f"{rows} x {columns} pixels, trained for x{scale_factor} on sides of {low:.0f} to {high:.0f}"
            )
        if not volume.acquisition.has_spacing:
            return ""
        low, high = (spacing * scale_factor for spacing in self.pixel_spacing_mm)
        seen = volume.spacing[:2]
        if low / SPACING_MARGIN <= min(seen) and max(seen) <= high * SPACING_MARGIN:
            return ""
        spacing = " x ".join(dict.fromkeys(f"{value:.3g}" for value in seen))
        return f"pixel spacing {spacing} mm, trained for x{scale_factor} on {low:.3g} to {high:.3g} mm"

    def _looks(self, seen: Sequence[Mapping[str, float]], others: Mapping[str, Likeness]) -> str:
        """Pixels that are unlike those of training, or more like those of other images."""
        found = min(seen, key=self.likeness.distance)
        own = self.likeness.distance(found)
        distances = {name: min(map(other.distance, seen)) for name, other in others.items()}
        nearest = min(distances, key=lambda name: distances[name], default="")
        if nearest and distances[nearest] < min(own, self.limit):
            said = (
                f"it looks like {nearest} rather than {self.images}, from which it is "
                f"{distances[nearest]:.1f} and {own:.1f} standard deviations off"
            )
        elif own > self.limit:
            said = f"it does not look like {self._distance(found)}"
        else:
            return ""
        off = [
            name for name in _NAMES if not self.statistics[name][0] <= found[name] <= self.statistics[name][1]
        ]
        return ", ".join([said, *(self._told(name, found[name]) for name in off[:TOLD])])

    def _distance(self, found: Mapping[str, float]) -> str:
        return (
            f"{self.images}, from which it is {self.likeness.distance(found):.1f} standard deviations off, "
            f"where up to {self.limit:.1f} would do"
        )

    def _noise(self, found: Mapping[str, float]) -> str:
        low, high = self.statistics["noise"]
        is_near = low / NOISE_MARGIN <= found["noise"] <= high * NOISE_MARGIN
        return "" if is_near else self._told("noise", found["noise"])

    def _told(self, name: str, value: float) -> str:
        form = ".1%" if name in _SHARES else ".2f"
        low, high = (format(bound, form) for bound in self.statistics[name])
        return f"{_NAMES[name]} {format(value, form)} (in training {low} to {high})"


def _range(stated: Any) -> Range:
    low, high = map(float, stated)
    if not low <= high:
        raise ValueError("a range must not end before it begins")
    return low, high
