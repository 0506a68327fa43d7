"""The learning curve as lines on paper: where its points, its interval and its axes lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ml_backend.evaluation.intervals import spell_estimate
from ml_backend.web.snapshot.columns import write_set

WIDTH, HEIGHT = 560, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 36
_STEPS = (1, 2, 5)
_N_TICKS = 7


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Dot:
    """One look: of some classes only (``is_partial``), of labels taken back (``is_history``)."""

    x: float
    y: float
    low: float
    high: float
    text: str
    is_partial: bool
    is_history: bool


@dataclass(frozen=True)
class Drawing:
    """Everything of the picture that depends on the figures, in its own units.

    ``line`` and ``band`` are paths of SVG, through the valid measurements; ``told`` says in words
    what is to be seen.
    """

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    xs: list[Tick]
    ys: list[Tick]
    dots: list[Dot]
    line: str
    band: str
    told: str


def draw_curve(
    curve: Sequence[dict[str, Any]], history: Sequence[dict[str, Any]] = ()
) -> Drawing | None:
    """Draw balanced accuracy over the number of labels; None without a figure.

    Parameters
    ----------
    curve : sequence of dict
        ``n_labeled``, ``value``, ``low`` and ``high``, range [0, 1], of the valid measurements;
        ``left_out``, the classes that were not judged, where there are any.
    history : sequence of dict
        The same of measurements of labels deleted or changed since: dots that no line goes through.

    Examples
    --------
    >>> points = [{"n_labeled": n, "value": v, "low": v - 0.1, "high": v + 0.1}
    ...           for n, v in ((10, 0.5), (20, 0.75))]
    >>> drawing = draw_curve(points)
    >>> [tick.text for tick in drawing.xs], [tick.text for tick in drawing.ys]
    (['0', '5', '10', '15', '20'], ['0.4', '0.6', '0.8', '1.0'])
    """
    if not curve and not history:
        return None
    curve = sorted(curve, key=lambda one: one["n_labeled"])
    history = sorted(history, key=lambda one: one["n_labeled"])
    everything = [*curve, *history]
    most = max(int(one["n_labeled"]) for one in everything)
    lowest: float = int(min(one["low"] for one in everything) * 5) / 5  # a fifth: figures end at 1
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(n_labeled: float) -> float:
        return round(_LEFT + (right - _LEFT) * n_labeled / most, 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * (value - lowest) / (1 - lowest), 1)

    def dot(one: dict[str, Any], *, is_history: bool) -> Dot:
        value, low, high = (y(one[name]) for name in ("value", "low", "high"))
        text = _tell(one) + (", of labels deleted or changed since" if is_history else "")
        is_partial = bool(one.get("left_out"))
        return Dot(x(one["n_labeled"]), value, low, high, text, is_partial, is_history)

    dots = [dot(one, is_history=False) for one in curve]
    there = [f"{dot.x},{dot.high}" for dot in dots]
    back = [f"{dot.x},{dot.low}" for dot in reversed(dots)]
    step = 0.1 if lowest > 0.7 else 0.2
    n_steps = round((1 - lowest) / step)
    return Drawing(
        WIDTH,
        HEIGHT,
        _LEFT,
        right,
        _TOP,
        bottom,
        [Tick(x(n), f"{n:,}") for n in range(0, most + 1, _pace(most))],
        [Tick(y(lowest + k * step), f"{lowest + k * step:.1f}") for k in range(n_steps + 1)],
        [*(dot(one, is_history=True) for one in history), *dots],
        "M" + " L".join(f"{dot.x},{dot.y}" for dot in dots) if dots else "",
        "M" + " L".join(there + back) + " Z" if dots else "",
        "; ".join(_tell(one) for one in (curve[:1] + curve[1:][-1:])) or "Nothing that stands",
    )


def _tell(one: dict[str, Any]) -> str:
    left_out = one.get("left_out", ())
    more = f", without {write_set(left_out)}" if left_out else ""
    return f"{one['n_labeled']:,} labels: {spell_estimate(one)}{more}"


def _pace(most: int) -> int:
    """Give a round distance between marks, so that there are at most ``_N_TICKS``."""
    power = 1
    while True:
        for step in _STEPS:
            if most / (step * power) <= _N_TICKS - 1:
                return step * power
        power *= 10
