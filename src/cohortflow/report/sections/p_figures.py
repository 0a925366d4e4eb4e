"""Pictures of rank-sum maps: p-values, masks, and the pairs as chords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cohortflow.report.blocks import Figure
from cohortflow.report.figures import EMPTY, GRID, ONE, SOFT, TWO, draw, heat_map, name_rows, short
from cohortflow.report.identifiers import slug

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from cohortflow.report.sections.p_maps import PairMap


def map_figure(maps: Sequence[PairMap]) -> Figure:
    """One network of one comparison: a row per degree; p-values, mask, corrected mask."""
    first = maps[0]

    def paint(canvas: Canvas) -> None:
        from matplotlib.colors import LogNorm

        floor = 10.0 ** min(-4, *(_exponent(found) for found in maps))
        for row, found in enumerate(maps):
            axes = [canvas.add_subplot(len(maps), 3, 3 * row + column) for column in (1, 2, 3)]
            last = row == len(maps) - 1
            heat_map(
                axes[0],
                found.p_value.clip(floor, 1.0),
                colours="cividis_r",
                norm=LogNorm(floor, 1.0),
                bar="p" if last else "",
            )
            name_rows(axes[0], found.regions)
            axes[0].text(
                -0.01, 1.02, f"H{found.degree}", transform=axes[0].transAxes, ha="right", fontsize=9
            )
            _mask(axes[1], found.hits())
            _mask(axes[2], found.hits(corrected=True))
            if row == 0:
                level = f"{found.alpha:g}"
                for axis, title in zip(
                    axes, ("p-value", f"p < {level}", f"corrected, q < {level}"), strict=True
                ):
                    axis.set_title(title)

    counts = "; ".join(
        f"H{found.degree}: {found.count()} of {found.tests} pairs, {found.count(True)} corrected"
        for found in maps
    )
    name = f"p_{slug(first.comparison)}_{slug(first.network)}"
    where = ", ".join(str(part) for part in (first.comparison, first.network) if part is not None)
    return Figure(
        name,
        draw(name, (8.4, 2.5 * len(maps) + 0.6), paint, "compressed"),
        alt=f"P-value maps and masks of {where}. {counts}.",
        caption=f"{where}. Rows: homology degree. Left: p-value of every pair of regions, "
        "logarithmic, bright is small. Middle: pairs below the level, uncorrected. Right: pairs "
        f"that remain after Benjamini–Hochberg. {counts}.",
        data={
            "significant": {f"H{found.degree}": found.count() for found in maps},
            "corrected": {f"H{found.degree}": found.count(True) for found in maps},
        },
        wide=True,
    )


def _exponent(found: PairMap) -> int:
    import numpy as np

    smallest = float(found.p_value.min())
    return int(np.floor(np.log10(smallest))) if smallest > 0 else -12


def _mask(axes: Any, hits: Any) -> None:
    """Significant pairs as squares on an empty field; the diagonal is not tested."""
    import numpy as np
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    n = len(hits)
    axes.add_patch(Rectangle((-0.5, -0.5), n, n, facecolor=EMPTY, edgecolor=GRID, linewidth=0.6))
    cells = [Rectangle((j - 0.5, i - 0.5), 1, 1) for i, j in np.argwhere(hits)]
    axes.add_collection(PatchCollection(cells, facecolor=TWO, edgecolor=TWO, linewidth=0.3))
    axes.plot([-0.5, n - 0.5], [-0.5, n - 0.5], color=SOFT, linewidth=0.5)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), xticks=[], yticks=[])
    axes.set_aspect("equal")
    for spine in axes.spines.values():
        spine.set_visible(False)


def pair_figure(maps: Sequence[PairMap]) -> Figure:
    """Regions on a circle, a chord per significant pair, coloured by the side of its effect."""
    columns = min(2, len(maps))
    lines = -(-len(maps) // columns)

    def paint(canvas: Canvas) -> None:
        for number, found in enumerate(maps, start=1):
            axes = canvas.add_subplot(lines, columns, number)
            _chords(axes, found)
            where = " ".join(str(part) for part in (found.comparison, found.network) if part)
            axes.set_title(f"{where} H{found.degree}: {found.count()} pairs", pad=12)

    first, second = maps[0].groups
    return Figure(
        "p_pairs",
        draw("p_pairs", (4.4 * columns, 4.3 * lines), paint),
        alt=f"Chord diagrams of the significant pairs of the {len(maps)} maps with most of them.",
        caption="The maps with most significant pairs (uncorrected), a chord per pair. Blue: the "
        f"distance is larger in {first}; orange: larger in {second}. Bold names have a partner.",
        data={"maps": [[m.comparison, m.network, f"H{m.degree}", m.count()] for m in maps]},
        wide=True,
    )


def _chords(axes: Any, found: PairMap) -> None:
    import numpy as np
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    hits, n = found.hits(), len(found.regions)
    angles = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    x, y = np.cos(angles), np.sin(angles)
    for i, j in np.argwhere(np.triu(hits)):
        curve = Path(
            [(x[i], y[i]), (0.0, 0.0), (x[j], y[j])], [Path.MOVETO, Path.CURVE3, Path.CURVE3]
        )
        ink = ONE if found.effect[i, j] > 0 else TWO
        axes.add_patch(PathPatch(curve, facecolor="none", edgecolor=ink, linewidth=0.7, alpha=0.7))
    partner = hits.any(axis=0)
    for i, name in enumerate(found.regions):
        turn = np.degrees(angles[i])
        left = x[i] < -1e-9
        axes.text(
            1.06 * x[i],
            1.06 * y[i],
            short(name, 22),
            rotation=turn + 180 if left else turn,
            rotation_mode="anchor",
            ha="right" if left else "left",
            va="center",
            fontsize=5.5,
            fontweight="bold" if partner[i] else "normal",
            color=SOFT if not partner[i] else axes.title.get_color(),
        )
    axes.scatter(x, y, s=7, color=SOFT, linewidths=0, zorder=3)
    reach = min(0.45, 0.021 * max(len(short(name, 22)) for name in found.regions))
    edge = 1.1 / (1 - reach)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge))
    axes.set_aspect("equal")
    axes.axis("off")
