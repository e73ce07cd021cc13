"""What was measured as tables and a figure; pure functions of the record that bench.json holds."""

import math
import textwrap
from statistics import median

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan1d.bench.record import Record, Throughput
from gan1d.bench.workloads import WORKLOADS
from gan1d.report.figures import common, layout

COLORS = (common.GREY, *common.LINES)


def tables(record: Record) -> str:
    """Everything in Markdown."""
    return "\n\n".join([throughput(record), scaling(record)])


def throughput(record: Record) -> str:
    """GAN updates a second, a row a workload; in parentheses times the first contender's."""
    names = _contenders(record)
    compiled = [name for name in names if _compile_times(record, name)]
    fastest = max(record["peak"], key=int)
    header = [
        "GAN updates/s",
        *names,
        "operations/update",
        f"of peak, {fastest} threads" if int(fastest) > 1 else "of peak",
        *(f"{name}: compile, s" for name in compiled),
    ]
    rows = [
        [
            WORKLOADS[workload].title,
            *(_rate_cell(measured, name, names[0]) for name in names),
            f"{measured['operations']:,}",
            f"{efficiency(record, workload):.0%}",
            *(f"{measured['contenders'][name]['compile_seconds']:.1f}" for name in compiled),
        ]
        for workload, measured in record["workloads"].items()
    ]
    return _markdown(header, rows)


def scaling(record: Record) -> str:
    """Time against the number of runs."""
    measured = record["scaling"]
    rows = [
        [
            f"{int(runs):,}",
            _significant(median(seconds)),
            _significant(1e6 * median(seconds) / int(runs)),
            _significant(int(runs) * measured["steps"] / median(seconds)),
        ]
        for runs, seconds in measured["seconds"].items()
    ]
    title = f"runs of {measured['steps']} updates, {WORKLOADS[measured['workload']].title}"
    return _markdown([title, "s", "us/run", "GAN updates/s"], rows)


def efficiency(record: Record, workload: str) -> float:
    """The last lanes contender's operations a second as a part of what its threads can do."""
    measured = record["workloads"][workload]
    lanes = [name for name in measured["contenders"] if name.startswith("lanes")][-1]
    fastest = max(record["peak"], key=int)
    rate = median(measured["contenders"][lanes]["updates_per_second"])
    return rate * measured["operations"] / median(record["peak"][fastest])


def draw(record: Record) -> Figure:
    """Bars of GAN updates a second, beside the time a run takes by the number of runs."""
    figure = Figure(figsize=(11.0, 4.5), layout="constrained")
    bars, lines = figure.subplots(1, 2, width_ratios=(2, 1))
    _draw_throughput(bars, record)
    _draw_scaling(lines, record)
    layout.legend(figure)
    return figure


def _draw_throughput(ax: Axes, record: Record) -> None:
    names, measured = _contenders(record), list(record["workloads"].values())
    width = 0.8 / len(names)
    for i, (name, color) in enumerate(zip(names, COLORS, strict=False)):
        found = [
            (place, median(each["contenders"][name]["updates_per_second"]))
            for place, each in enumerate(measured)
        ]
        left = [place + (i + 0.5) * width - 0.4 for place, _ in found]
        ax.bar(left, [rate for _, rate in found], width, color=color, label=name)
    ax.set_yscale("log")
    ax.set_ylabel("GAN updates/s")
    titles = [textwrap.fill(WORKLOADS[name].title, 18) for name in record["workloads"]]
    ax.set_xticks(range(len(titles)), titles, fontsize=7)
    ax.set_title(f"{record['runs']} runs", fontsize=8)


def _draw_scaling(ax: Axes, record: Record) -> None:
    measured = record["scaling"]
    runs = [int(count) for count in measured["seconds"]]
    each = [1e6 * median(s) / int(count) for count, s in measured["seconds"].items()]
    ax.semilogx(runs, each, "o-", color=common.BLUE)
    ax.set_ylim(0, 1.1 * max(each))
    ax.set_xlabel("runs")
    ax.set_ylabel("us/run")
    title = f"{WORKLOADS[measured['workload']].title}: {measured['steps']} updates"
    ax.set_title(title, fontsize=8)


def _contenders(record: Record) -> list[str]:
    """Those that every workload was measured with, in order."""
    return list(next(iter(record["workloads"].values()))["contenders"])


def _compile_times(record: Record, name: str) -> list[float]:
    cells = [each["contenders"][name] for each in record["workloads"].values()]
    return [cell["compile_seconds"] for cell in cells if cell["compile_seconds"]]


def _rate_cell(measured: Throughput, name: str, first: str) -> str:
    rates = {
        each: median(cell["updates_per_second"]) for each, cell in measured["contenders"].items()
    }
    ratio = "" if name == first else f" ({_significant(rates[name] / rates[first], 2)}x)"
    return _significant(rates[name]) + ratio


def _significant(value: float, digits: int = 3) -> str:
    """Three significant digits, without an exponent."""
    decimals = digits - 1 - math.floor(math.log10(value))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ruler, *rows])
