"""The learning curve lies where its figures say, whatever they are."""

import re

import numpy as np
import pytest

from ml_backend.web.pages.curve import draw_curve


def points(*rows):
    return [dict(zip(("n_labeled", "value", "low", "high"), row, strict=True)) for row in rows]


def coordinates(path):
    return np.array(
        [[float(one) for one in pair] for pair in re.findall(r"([\d.]+),([\d.]+)", path)]
    )


def on_axis(ticks):
    """Give what reads a place on an axis by its first and last mark."""
    at = [tick.at for tick in ticks]
    values = [float(tick.text.replace(",", "")) for tick in ticks]
    return lambda place: np.interp(place, *zip(*sorted(zip(at, values, strict=True)), strict=True))


def random_curve(seed):
    rng = np.random.default_rng(seed)
    n_labeled = np.cumsum(rng.integers(5, 400, size=12))
    value = rng.uniform(0.3, 1.0, size=12)
    low, high = value * rng.uniform(0.4, 1, size=12), np.minimum(value + 0.1, 1)
    return points(*zip(n_labeled.tolist(), value, low, high, strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_what_is_drawn_can_be_read_off_the_axes(seed):
    curve = random_curve(seed)
    drawing = draw_curve(curve)
    read_value = on_axis(drawing.ys)
    for dot, one in zip(drawing.dots, curve, strict=True):
        assert read_value(dot.y) == pytest.approx(one["value"], abs=0.01)
        assert read_value(dot.low) == pytest.approx(one["low"], abs=0.01)
        assert read_value(dot.high) == pytest.approx(one["high"], abs=0.01)
    scale = drawing.dots[-1].x - drawing.left
    shares = [(dot.x - drawing.left) / scale for dot in drawing.dots]
    wanted = [one["n_labeled"] / curve[-1]["n_labeled"] for one in curve]
    assert shares == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("seed", range(10))
def test_all_of_it_is_on_the_paper_and_the_marks_are_few_and_round(seed):
    drawing = draw_curve(random_curve(seed))
    for path in (drawing.line, drawing.band):
        x, y = coordinates(path).T
        assert (x >= drawing.left).all()
        assert (x <= drawing.right).all()
        assert (y >= drawing.top).all()
        assert (y <= drawing.bottom).all()
    assert 2 <= len(drawing.xs) <= 8
    assert 3 <= len(drawing.ys) <= 6
    assert drawing.xs[0].text == "0"
    assert drawing.ys[-1].text == "1.0"


def test_the_band_goes_there_above_and_back_below():
    drawing = draw_curve(points((10, 0.5, 0.3, 0.7), (20, 0.8, 0.7, 0.9)))
    first, second = drawing.dots
    wanted = [
        [first.x, first.high],
        [second.x, second.high],
        [second.x, second.low],
        [first.x, first.low],
    ]
    assert coordinates(drawing.band).tolist() == wanted


def test_labels_that_were_taken_back_do_not_fold_the_line():
    drawing = draw_curve(points((20, 0.8, 0.7, 0.9), (10, 0.5, 0.3, 0.7)))
    assert [dot.text[:9] for dot in drawing.dots] == ["10 labels", "20 labels"]


def test_one_look_is_a_dot_and_none_is_nothing():
    assert draw_curve([]) is None
    drawing = draw_curve(points((6, 1.0, 0.5, 1.0)))
    assert len(drawing.dots) == 1
    assert drawing.told == "6 labels: 1.00 (0.50 to 1.00)"


def test_history_is_drawn_as_dots_that_no_line_goes_through():
    curve = points((10, 0.5, 0.3, 0.7), (20, 0.8, 0.7, 0.9))
    history = points((100, 0.96, 0.2, 0.99))
    drawing = draw_curve(curve, history)
    past, *dots = drawing.dots
    assert (past.is_history, [dot.is_history for dot in dots]) == (True, [False, False])
    assert past.text == "100 labels: 0.96 (0.20 to 0.99), of labels deleted or changed since"
    assert coordinates(drawing.line)[:, 0].max() == dots[-1].x < past.x
    assert drawing.top <= past.high < past.low <= drawing.bottom
    assert "100" not in drawing.told
    alone = draw_curve([], history)
    assert (alone.line, alone.band, len(alone.dots)) == ("", "", 1)


def test_a_figure_of_some_classes_only_says_so():
    (one,) = points((10, 1.0, 0.6, 1.0))
    (dot,) = draw_curve([{**one, "left_out": ["rain", "dog"]}]).dots
    assert dot.is_partial
    assert dot.text.endswith(", without rain, dog")


def test_words_tell_the_beginning_and_the_end():
    drawing = draw_curve(points((10, 0.5, 0.3, 0.7), (20, 0.6, 0.5, 0.7), (3000, 0.9, 0.8, 1.0)))
    assert drawing.told == "10 labels: 0.50 (0.30 to 0.70); 3,000 labels: 0.90 (0.80 to 1.00)"
