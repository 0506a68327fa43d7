"""The map's pure modules, in a blank page of a real Chromium, against slow versions in Python."""

import itertools
import math
from collections import Counter
from contextlib import ExitStack

import numpy as np
import pytest

from ml_backend.web.snapshot.packed import PackedColumn, category, fraction, number, pack
from tests.browsing import chromium, opened, served
from tests.small_pool import SmallPool, create_small_app

pytestmark = pytest.mark.browser

PANEL = {"light": (255, 255, 255), "dark": (23, 27, 32)}
# What remains of linear RGB for people without red, green or blue cones: Viénot et al. 1999 for the
# first two, Brettel et al. 1997 (one plane) for the third.
BLIND = {
    "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    "tritan": [
        [1.01277, 0.13548, -0.14826],
        [-0.01243, 0.86812, 0.14431],
        [0.07589, 0.805, 0.11911],
    ],
}


@pytest.fixture(scope="module")
def blank():
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        address = stack.enter_context(served(create_small_app(SmallPool(5))))
        yield stack.enter_context(opened(browser, f"{address}/blank"))


@pytest.fixture
def run(blank):
    """Work out an expression of a module's names, ``m``, and what is ``given``, ``g``."""

    def run(module, expression, **given):
        script = "async (g) => { const m = await import('/static/now/%s.js'); return %s; }"
        return blank.evaluate(script % (module, expression), given)

    return run


def linear(color):
    share = np.asarray(color) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Björn Ottosson's color space, whose distances are those that people see; from linear RGB."""
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.asarray(to_lab) @ np.cbrt(np.asarray(to_cones) @ np.clip(rgb, 0, 1))


def luminance(color):
    return float(linear(color) @ [0.2126, 0.7152, 0.0722])


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def categories(run, theme, n):
    ask = "g.numbers.map((number) => m.categoryColor(number, g.theme))"
    return run("map/palette", ask, numbers=list(range(n)), theme=theme)


# The packed form


def test_what_python_packs_the_browser_reads(run):
    told = category("label", np.array([1, -1, 0]), ("siren", "Mäh <b>✓"))
    columns = [
        number("level_db", np.array([-30.5, np.nan, 3.0])),
        fraction("entropy", np.array([0.0, 1.0, np.nan])),
        fraction("coverage", np.array([2.0, 0.5, np.nan]), 2.0),
        told,
        PackedColumn("outdoors", "boolean", np.array([0, 255, 1], dtype=np.uint8)),
        PackedColumn("task_id", "number", np.array([7, 9, 4_000_000], dtype=np.int32)),
    ]
    packed = pack(columns, revision="r1", title="Straße")
    read = run(
        "data/packed",
        """(() => {
          const frame = m.decodePacked(Uint8Array.from(g.bytes).buffer);
          const all = (column) => [...(column.values ?? column.codes)];
          const plain = (column) => all(column).map((one) => (Number.isNaN(one) ? null : one));
          const listed = [...frame.columns].map(([name, column]) => [name, plain(column)]);
          const columns = Object.fromEntries(listed);
          const texts = [0, 1, 2].map((row) => m.textAt(frame.columns.get("label"), row));
          const yes = [0, 1, 2].map((row) => m.textAt(frame.columns.get("outdoors"), row));
          return { n: frame.n, title: frame.title, columns, texts, yes };
        })()""",
        bytes=list(packed),
    )
    assert (read["n"], read["title"]) == (3, "Straße")
    assert read["columns"]["level_db"] == [-30.5, None, 3]
    assert read["columns"]["entropy"] == [0, pytest.approx(1), None]
    assert read["columns"]["coverage"] == [pytest.approx(2), pytest.approx(0.5, abs=1e-4), None]
    assert read["columns"]["task_id"] == [7, 9, 4_000_000]
    assert read["texts"] == ["Mäh <b>✓", None, "siren"]
    assert read["yes"] == ["no", None, "yes"]


# The address


@pytest.mark.parametrize(
    "view",
    [
        {"color": "meta:Straße & <b>", "locality": 0, "selection": [3, 12], "focus": 12},
        {"color": None, "locality": 3, "selection": list(range(100_000, 103_000)), "focus": None},
        {"color": "probability:a=b", "locality": None, "selection": [], "focus": 0},
    ],
)
def test_a_view_comes_back_from_its_address(run, view):
    view = {
        **view,
        "filters": {
            "meta:a b=c&d#e": {"values": ["x,y", None]},
            "entropy": {"lo": 0.5, "hi": None},
        },
    }
    there_and_back = """(() => {
      const written = new URL(m.toAddress(g.view), "http://x/map");
      return { view: m.fromAddress(written.search, written.hash), length: written.search.length };
    })()"""
    came = run("data/address", there_and_back, view=view)
    assert came["view"] == view
    assert came["length"] < 4000  # what gunicorn takes


def test_what_an_address_says_wrongly_is_left_out(run):
    query = "?color=%E0%A4&locality=9&focus=-3&sel=5,x,2,5,&nonsense&=3&f.=1&f.label=%zz"
    view = run("data/address", "m.fromAddress(g.query)", query=query)
    assert view["locality"] is None
    assert view["focus"] is None
    assert view["selection"] == [2, 5]
    assert view["filters"] == {"label": {"values": ["%zz"]}}


# Colors


@pytest.mark.parametrize("theme", PANEL)
def test_categories_stand_out_from_the_background(run, theme):
    colors = categories(run, theme, 24)
    assert len({tuple(color) for color in colors}) == 24
    for color in colors:
        assert contrast(color, PANEL[theme]) >= (2.4 if theme == "light" else 4)
    missing = run("map/palette", "m.categoryColor(-1, g.theme)", theme=theme)
    assert 1.5 < contrast(missing, PANEL[theme]) < 2.4


@pytest.mark.parametrize("theme", PANEL)
@pytest.mark.parametrize("sight", ["full", *BLIND])
def test_the_first_eight_categories_differ_for_color_blind_people_too(run, theme, sight):
    matrix = np.asarray(BLIND.get(sight, np.eye(3)))
    seen = [oklab(matrix @ linear(color)) for color in categories(run, theme, 8)]
    least = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert least > 0.075  # those of Okabe and Ito come to 0.079


@pytest.mark.parametrize("theme", PANEL)
def test_higher_numbers_stand_out_more_and_ever_more(run, theme):
    ramp = np.array(run("map/palette", "[...m.ramp(g.theme)]", theme=theme)).reshape(256, 3)
    contrasts = [contrast(color, PANEL[theme]) for color in ramp]
    assert all(later >= earlier - 0.02 for earlier, later in itertools.pairwise(contrasts))
    assert contrasts[0] > 1.6
    assert contrasts[-1] > 10


def test_contrast_is_that_of_wcag(run):
    for a, b in ([(0, 0, 0), (255, 255, 255)], [(11, 92, 173), (255, 255, 255)]):
        assert run("map/palette", "m.contrast(g.a, g.b)", a=a, b=b) == pytest.approx(contrast(a, b))


def paint(run, column, theme="light"):
    key = "codes" if "codes" in column else "values"
    kind = "Int32Array" if key == "codes" else "Float64Array"
    script = f"""(() => {{
      const column = {{ ...g.column, {key}: {kind}.from(g.column.{key}, (v) => v ?? NaN) }};
      const {{ colors, legend }} = m.paint(column, g.theme);
      return {{ colors: [...colors], legend }};
    }})()"""
    painted = run("map/coloring", script, column=column, theme=theme)
    return np.array(painted["colors"]).reshape(-1, 4), painted["legend"]


def test_the_legend_tells_the_color_and_the_number_of_every_category(run):
    codes = [2, 0, -1, 2, 2, 0, -1]
    colors, legend = paint(
        run, {"name": "x", "kind": "category", "codes": codes, "names": ["a", "b", "c"]}
    )
    assert [(one["value"], one["count"]) for one in legend["entries"]] == [
        ("a", 2),
        ("c", 3),
        (None, 2),
    ]
    color_of = {one["value"]: one["color"] for one in legend["entries"]}
    names = {0: "a", 2: "c", -1: None}
    assert [list(color[:3]) for color in colors] == [color_of[names[code]] for code in codes]


def test_a_class_keeps_its_color_where_another_one_is_absent(run):
    column = {"name": "label", "kind": "category", "names": ["a", "b", "c"]}
    alone, _ = paint(run, {**column, "codes": [2, 2]})
    together, _ = paint(run, {**column, "codes": [0, 1, 2]})
    assert alone[0].tolist() == together[2].tolist()


def test_of_many_categories_the_frequent_ones_are_told(run):
    rng = np.random.default_rng(0)
    codes = np.minimum(rng.geometric(0.02, 4000) - 1, 4999).tolist()
    names = [f"recording {i}" for i in range(5000)]
    _, legend = paint(
        run, {"name": "recording", "kind": "category", "codes": codes, "names": names}
    )
    counts = Counter(codes)
    assert [one["count"] for one in legend["entries"]] == sorted(counts.values(), reverse=True)[:60]
    assert legend["more"] == len(counts) - 60
    assert legend["repeats"]


def test_an_outlier_does_not_flatten_the_color_bar_and_missing_values_are_counted(run):
    values = [*np.linspace(10, 20, 999).tolist(), 1e9, None]
    colors, legend = paint(run, {"name": "meta:level", "kind": "number", "values": values})
    assert legend["missing"] == 1
    assert (legend["low"], legend["high"]) == (
        pytest.approx(10, abs=0.1),
        pytest.approx(20, abs=0.1),
    )
    assert len({tuple(color) for color in colors[:999]}) > 200
    assert colors[999].tolist() == colors[998].tolist()


@pytest.mark.parametrize("values", [[], [None, None], [3.0, 3.0]])
def test_columns_without_values_or_with_one_can_be_painted(run, values):
    colors, legend = paint(run, {"name": "meta:x", "kind": "number", "values": values})
    assert len(colors) == len(values)
    assert legend["low"] == legend["high"]


def test_the_head_of_the_order_stands_out(run):
    colors, _ = paint(run, {"name": "rank", "kind": "number", "values": [1, 50, 100]})
    contrasts = [contrast(color[:3], PANEL["light"]) for color in colors]
    assert contrasts == sorted(contrasts, reverse=True)


# Looking and picking


def test_zooming_holds_what_is_under_the_pointer(run):
    view, size, at = {"x": 0.4, "y": 0.7, "zoom": 2}, {"width": 800, "height": 500}, (613, 77)
    before = run("map/camera", "m.toMap(g.view, g.size, ...g.at)", view=view, size=size, at=at)
    zoomed = run("map/camera", "m.zoomAt(g.view, g.size, 3, ...g.at)", view=view, size=size, at=at)
    assert zoomed["zoom"] == 6
    after = run("map/camera", "m.toMap(g.view, g.size, ...g.at)", view=zoomed, size=size, at=at)
    assert after == pytest.approx(before)
    back = run(
        "map/camera", "m.toScreen(g.view, g.size, ...g.at)", view=zoomed, size=size, at=after
    )
    assert back == pytest.approx(at)


def test_the_whole_map_is_in_sight_at_first_and_a_box_after_fitting(run):
    size = {"width": 300, "height": 900}
    for corner in itertools.product((0, 1), repeat=2):
        x, y = run(
            "map/camera", "m.toScreen(m.WHOLE, g.size, ...g.corner)", size=size, corner=corner
        )
        assert 0 <= x <= 300
        assert 0 <= y <= 900
    box = {"left": 0.2, "right": 0.22, "bottom": 0.5, "top": 0.9}
    view = run("map/camera", "m.fit(g.box, g.size)", box=box, size=size)
    corners = [(box["left"], box["bottom"]), (box["right"], box["top"])]
    for corner in corners:
        x, y = run(
            "map/camera",
            "m.toScreen(g.view, g.size, ...g.corner)",
            view=view,
            size=size,
            corner=corner,
        )
        assert 0 <= x <= 300
        assert 0 <= y <= 900


def winding(polygon, x, y):
    """Sum the angles under which a point sees the sides: a full turn if it is inside."""
    turn = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise([*polygon, polygon[0]]):
        between = math.atan2(y1 - y, x1 - x) - math.atan2(y0 - y, x0 - x)
        turn += math.remainder(between, 2 * math.pi)
    return abs(turn) > math.pi


def test_a_lasso_holds_what_it_winds_around(run):
    rng = np.random.default_rng(1)
    xy = rng.random((500, 2))
    xy[:3] = -9  # clips without a place
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radii = 0.15 + 0.25 * rng.random(40)
    polygon = [
        [0.5 + r * np.cos(a), 0.5 + r * np.sin(a)] for r, a in zip(radii, angles, strict=True)
    ]
    expected = [row for row, (x, y) in enumerate(xy) if winding(polygon, x, y)]
    assert 20 < len(expected) < 300
    ask = "m.inPolygon(Float64Array.from(g.xy), g.polygon)"
    found = run("map/geometry", ask, xy=xy.ravel().tolist(), polygon=polygon)
    assert found == expected


def test_the_nearest_point_is_found_within_reach_and_only_where_it_may(run):
    xy = np.random.default_rng(2).random((200, 2))
    xy[7] = -9
    for x, y in np.random.default_rng(3).random((20, 2)):
        distances = np.hypot(*(xy - (x, y)).T)
        distances[1::2] = np.inf
        ask = "m.nearest(Float64Array.from(g.xy), g.x, g.y, g.reach, (row) => row % 2 === 0)"
        given = {"xy": xy.ravel().tolist(), "x": x, "y": y}
        assert run("map/geometry", ask, **given, reach=9) == distances.argmin()
        assert run("map/geometry", ask, **given, reach=distances.min() / 2) == -1


def test_marked_points_are_drawn_over_plain_ones_and_those_over_faded_ones(run):
    marks = np.random.default_rng(4).integers(0, 16, 400)
    order = run("map/points", "[...m.drawingOrder(Uint8Array.from(g.marks))]", marks=marks.tolist())

    def layer(mark):
        layers = ((8, 4), (4, 0), (2, 3), (1, 2))  # focused, faded, selected, labeled
        return next((place for bit, place in layers if mark & bit), 1)

    assert order == sorted(range(400), key=lambda row: (layer(marks[row]), row))


@pytest.mark.parametrize(
    ("how", "left"), [("replace", [2, 3]), ("add", [1, 2, 3]), ("remove", [1])]
)
def test_picked_clips_replace_extend_or_reduce_the_selection(run, how, left):
    assert run("map/marks", "m.combine([1, 2], [2, 3], g.how)", how=how) == left


def test_clicks_on_the_legend_filter_one_more_and_one_less(run):
    ask = "g.values.reduce((filters, value) => m.toggleValue(filters, 'label', value), g.filters)"
    others = {"entropy": {"lo": 0.5, "hi": None}}
    for values, left in (["a"], ["a"]), (["a", None], ["a", None]), (["a", None, "a"], [None]):
        got = run("map/marks", ask, values=values, filters=others)
        assert got == {**others, "label": {"values": left}}
    assert run("map/marks", ask, values=["a", "a"], filters=others) == others


def test_the_best_of_a_similarity_come_first_and_missing_ones_never(run):
    values = [0.1, None, 0.9, 0.9, -1]
    ask = "m.mostSimilar(Float64Array.from(g.values, (v) => v ?? NaN), g.n)"
    assert run("map/search", ask, values=values, n=3) == [2, 3, 0]
    assert run("map/search", ask, values=values, n=9) == [2, 3, 0, 4]


SAID = """new Map([
  ["label", { name: "label", codes: Int32Array.of(-1, 0, -1), names: ["siren"] }],
  ["skipped", { name: "skipped", codes: Int32Array.of(0, 0, 0) }],
  ["state", { name: "state", codes: Int32Array.of(2, 0, 3), names: g.states }],
])"""
SHOWN = """[...shown.get("label").codes].map((code, row) =>
  shown.get("skipped").codes[row] ? "skipped" : (shown.get("label").names[code] ?? null))"""
WITH_MARKS = f"""(() => {{
  const marks = new Map(g.marks.map(([id, labels, until]) => [id, {{ labels, until }}]));
  const said = {SAID};
  const shown = m.withMarks(said, marks, (id) => id, g.now);
  const {{ codes, names }} = said.get("label");
  const isWhole = codes.join() === "-1,0,-1" && names.length === 1;
  const states = [...shown.get("state").codes].map((code) => g.states[code]);
  return [{SHOWN}, [...marks.keys()], isWhole, states];
}})()"""


@pytest.mark.parametrize(
    ("marks", "shown", "left"),
    [
        ([], [None, "siren", None], []),
        ([[0, ["other"], 9]], ["other", "siren", None], [0]),
        ([[1, ["other"], 9], [2, None, 9]], [None, "other", "skipped"], [1, 2]),
        ([[1, ["siren"], 9]], [None, "siren", None], []),  # the server says so, too
        ([[0, ["other"], 4]], [None, "siren", None], []),  # it has had its time
        ([[1, [], 9]], [None, None, None], [1]),
        ([[0, ["a", "b"], 9], [-1, ["other"], 9]], ["a, b", "siren", None], [0]),
    ],
)
def test_marks_are_shown_over_what_the_server_says_until_it_says_so_or_has_had_its_time(
    run, marks, shown, left
):
    names = ["labeled", "skipped", "in the pool", "submitted without a label"]
    *found, states = run("data/pending_labels", WITH_MARKS, marks=marks, now=5, states=names)
    assert found == [shown, left, True]
    has_mark = [row in left for row in range(3)]
    for row, said in enumerate(["in the pool", "labeled", "submitted without a label"]):
        marked = (
            "skipped" if shown[row] == "skipped" else "labeled" if shown[row] else "in the pool"
        )
        assert states[row] == (marked if has_mark[row] else said)


def test_a_class_with_a_comma_in_its_name_is_not_two_classes(run):
    marked = """(() => {
      const label = { codes: Int32Array.of(0, -1), names: ["dog, cat", "dog", "cat"] };
      const skipped = { codes: Int32Array.of(0, 0), names: ["no", "yes"] };
      const state = { codes: Int32Array.of(0, 1), names: ["labeled", "in the pool"] };
      const said = new Map([["label", label], ["skipped", skipped], ["state", state]]);
      const said_now = [["dog", "cat"], ["dog, cat"]];
      const marks = new Map(said_now.map((labels, id) => [id, { labels, until: 9 }]));
      const shown = m.withMarks(said, marks, (id) => id, 5).get("label");
      return [...shown.codes].map((code) => shown.members[code]);
    })()"""
    assert run("data/pending_labels", marked) == [["dog", "cat"], ["dog, cat"]]
