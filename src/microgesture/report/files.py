"""The files beside a report: each chart as SVG and PDF, each table as CSV, and the text about methods and results."""

import contextlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from ..storage.files import replacing, write_csv, write_text
from .charts import matrix_chart
from .section import Part, Section

HERE = Path(__file__).parent
METHODS = "methods.txt"
FONT = "DejaVu Sans"  # it comes with Matplotlib


def address(section: Section, part: Part, name: str = "") -> str:
    """The name of the file of a chart or table, without its suffix."""
    return "_".join(re.sub(r"\W+", "_", word) for word in (section.id, part.id, name) if word)


def write_files(folder: Path, sections: Sequence[Section], methods: str) -> None:
    """Write the files of all sections into a folder; they have the colours of the light theme."""
    write_text(folder / METHODS, methods)
    for section in sections:
        for part in section.parts:
            drawings = {name: svg for chart in part.charts for name, svg in chart.drawings.items() if name}
            if part.matrix:
                drawings["matrix"] = matrix_chart(part.matrix)
                write_csv(
                    folder / f"{address(section, part, 'matrix')}.csv", part.matrix.frame.reset_index(names="true")
                )
            for name, svg in drawings.items():
                text = standalone(svg)
                write_text(folder / f"{address(section, part, name)}.svg", text)
                write_pdf(folder / f"{address(section, part, name)}.pdf", text)
            for name, _, table in part.tables:
                write_csv(folder / f"{address(section, part, name)}.csv", table.frame)


def standalone(svg: str) -> str:
    """A chart of the page as an SVG file, with the style of the light theme."""
    style = "".join(f"{selector} {{ {'; '.join(map(': '.join, rules.items()))} }}" for selector, rules in _rules())
    opening, rest = svg.split(">", 1)
    font = f'svg {{ font-family: "{FONT}", sans-serif }}'
    return f'{opening} xmlns="http://www.w3.org/2000/svg"><style>{font}{style}</style>{rest}\n'


@cache
def _rules() -> list[tuple[str, dict[str, str]]]:
    """The rules of the page's style sheet for charts, with the colours of the light theme in place of their names."""
    css = (HERE / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"(--[\w-]+): (#\w+)", css.partition("}")[0]))
    rules = []
    for selector, body in re.findall(r"^(svg [\w.]+) \{([^}]*)\}", css, re.MULTILINE):
        text = re.sub(r"var\((--[\w-]+)\)", lambda name: colours[name[1]], body)
        rules.append((selector, dict(re.findall(r"([\w-]+): ([^;]+)", text))))
    return rules


def _style(element: ElementTree.Element) -> dict[str, str]:
    tag, classes = _tag(element), element.get("class", "").split()
    found: dict[str, str] = {}
    for selector, rules in _rules():
        wanted, *own = selector.removeprefix("svg ").split(".")
        if wanted in ("", tag) and set(own) <= set(classes):
            found |= rules
    return found


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def write_pdf(path: Path, svg: str) -> None:
    """Write a chart as PDF, one point for each pixel: its rectangles, lines, circles and texts."""
    # Matplotlib reads settings from the current folder, whose files may be somebody else's.
    with contextlib.chdir(HERE):
        import matplotlib
        from matplotlib.backends.backend_pdf import FigureCanvasPdf
        from matplotlib.figure import Figure

    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width")), float(root.get("height"))
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, "pdf.fonttype": 42, "font.family": FONT}):
        figure = Figure((width / 72, height / 72))
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        for element in root.iter():
            _draw(axes, element, _style(element))
        with replacing(path) as temporary, open(temporary, "wb") as file:
            FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})


def _draw(axes, element: ElementTree.Element, style: dict[str, str]) -> None:
    from matplotlib.patches import Circle, Rectangle

    def number(name: str, otherwise: float = 0) -> float:
        return float(element.get(name, otherwise))

    shape = {
        "facecolor": style.get("fill", "black"),
        "edgecolor": style.get("stroke", "none"),
        "linewidth": float(style.get("stroke-width", 1)),
    }
    match _tag(element):
        case "rect":
            size = number("width"), number("height")
            opacity = number("fill-opacity", 1)
            axes.add_patch(
                Rectangle((number("x"), number("y")), *size, **shape, alpha=opacity if opacity < 1 else None)
            )
        case "circle":
            axes.add_patch(Circle((number("cx"), number("cy")), number("r"), **shape, zorder=3))
        case "polyline" if points := element.get("points"):
            xs, ys = zip(*(map(float, point.split(",")) for point in points.split()), strict=True)
            dashes = style.get("stroke-dasharray", "none")
            line = "-" if dashes == "none" else (0, [float(part) for part in dashes.split()])
            options = {"color": style["stroke"], "alpha": float(style["stroke-opacity"]), "linestyle": line}
            axes.plot(xs, ys, linewidth=shape["linewidth"], **options)
        case "text":
            x, y, turn = number("x"), number("y"), 0
            if place := re.match(r"translate\((\S+) (\S+)\) rotate\((\S+)\)", element.get("transform", "")):
                x, y, turn = float(place[1]), float(place[2]), -float(place[3])
            side = {"start": "left", "middle": "center", "end": "right"}[element.get("text-anchor", "start")]
            # No part of a class name is a formula.
            options = {"parse_math": False, "rotation": turn, "rotation_mode": "anchor", "zorder": 4}
            size = float(style["font-size"].removesuffix("px"))
            axes.text(x, y, element.text or "", ha=side, va="baseline", size=size, color=style["fill"], **options)
