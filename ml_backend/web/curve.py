"""The learning curve as lines on paper: where its points, its interval and its axes lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    """One look at the classifier."""

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """Everything of the picture that depends on the figures, in its own units.

    ``line`` and ``band`` are paths of SVG; ``told`` says in words what is to be seen.
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


def draw_curve(curve: Sequence[dict[str, Any]]) -> Drawing | None:
    """Draw balanced accuracy over the number of labels; None without a figure.

    Parameters
    ----------
    curve : sequence of dict
        ``n_labeled``, ``value``, ``low`` and ``high``, range [0, 1], oldest first.

    Examples
    --------
    >>> points = [{"n_labeled": n, "value": v, "low": v - 0.1, "high": v + 0.1}
    ...           for n, v in ((10, 0.5), (20, 0.75))]
    >>> drawing = draw_curve(points)
    >>> [tick.text for tick in drawing.xs], [tick.text for tick in drawing.ys]
    (['0', '5', '10', '15', '20'], ['0.4', '0.6', '0.8', '1.0'])
    """
    if not curve:
        return None
    curve = sorted(curve, key=lambda one: one["n_labeled"])
    most = int(curve[-1]["n_labeled"])
    lowest: float = int(min(one["low"] for one in curve) * 5) / 5  # a fifth, since figures end at 1
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(n_labeled: float) -> float:
        return round(_LEFT + (right - _LEFT) * n_labeled / most, 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * (value - lowest) / (1 - lowest), 1)

    dots = [
        Dot(x(one["n_labeled"]), y(one["value"]), y(one["low"]), y(one["high"]), _tell(one))
        for one in curve
    ]
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
        dots,
        "M" + " L".join(f"{dot.x},{dot.y}" for dot in dots),
        "M" + " L".join(there + back) + " Z",
        "; ".join(_tell(one) for one in (curve[0], curve[-1])[: len(curve)]),
    )


def _tell(one: dict[str, Any]) -> str:
    return (
        f"{one['n_labeled']:,} labels: {one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"
    )


def _pace(most: int) -> int:
    """Give a round distance between marks, so that there are at most ``_N_TICKS``."""
    power = 1
    while True:
        for step in _STEPS:
            if most / (step * power) <= _N_TICKS - 1:
                return step * power
        power *= 10
