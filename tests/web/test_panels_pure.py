"""The panels' pure modules, in a blank page of a real Chromium, against slow versions in Python."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.browsing import chromium, opened, served
from tests.small_pool import SmallPool, create_small_app

pytestmark = pytest.mark.browser

NUMBERS = [3.0, None, -1.5, 0.1, 7.0, 0.1, None, 250.0, 0.0]
NAMES = ["siren", "a,b", "-", "!x", "~y", "1..2", "<b>bold</b>", "50 % & more"]
CODES = [0, 1, 2, 3, 4, 5, 6, 7, -1, 0, -1]


@pytest.fixture(scope="module")
def blank():
    with (
        chromium() as browser,
        served(create_small_app(SmallPool(5))) as address,
        opened(browser, f"{address}/blank") as page,
    ):
        yield page


# JSON knows neither NaN nor typed arrays: null and lists stand for them on the way.
SCRIPT = """async (given) => {
  const m = await import("/static/now/%s.js");
  const numbers = (values) => values.map((one) => (one === null ? NaN : one));
  for (const column of Object.values(given ?? {})) {
    if (!column?.kind) continue;
    const Values = column.is32 ? Float32Array : Float64Array;
    if (column.values) column.values = new Values(numbers(column.values));
    if (column.codes) column.codes = Int32Array.from(column.codes);
  }
  const answer = %s;
  return ArrayBuffer.isView(answer) ? [...answer] : answer;
}"""


@pytest.fixture
def run(blank):
    """Work out an expression of a module's names, ``m``, and what is ``given``."""
    return lambda module, expression, given=None: blank.evaluate(
        SCRIPT % (module, expression), given
    )


def mask(run, column, said, key="x"):
    given = {"column": column, "filter": said, "key": key}
    return run("data/masks", "m.filterMask(given.key, given.column, given.filter)", given)


def in_range(value, low, high, missing):
    if value is None:
        return missing
    return (low is None or value >= low) and (high is None or value <= high)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize(
    ("low", "high"), [(0.1, 7), (None, 0.1), (0.1, None), (None, None), (5, 4)]
)
@pytest.mark.parametrize("is_32", [False, True])
def test_a_range_holds_its_ends_and_what_has_no_value_only_if_asked(run, low, high, missing, is_32):
    column = {"kind": "number", "values": NUMBERS, "is32": is_32}
    said = {"lo": low, "hi": high, **({"missing": True} if missing else {})}
    assert mask(run, column, said) == [in_range(one, low, high, missing) for one in NUMBERS]


@pytest.mark.parametrize(
    ("values", "is_not"),
    [(["siren"], False), ([None], False), ([None], True), (["siren", None], True), (NAMES, False)],
)
def test_values_pass_or_all_but_these(run, values, is_not):
    column = {"kind": "category", "codes": CODES, "names": NAMES}
    said = {"values": values, **({"not": True} if is_not else {})}
    texts = [NAMES[code] if code >= 0 else None for code in CODES]
    assert mask(run, column, said) == [(text in values) != is_not for text in texts]


def test_a_boolean_is_true_or_false_in_the_address_and_has_names_of_its_own(run):
    column = {"kind": "boolean", "codes": [0, 1, -1, 1], "names": ["no", "yes"]}
    assert mask(run, column, {"values": ["true"]}) == [0, 1, 0, 1]
    assert mask(run, column, {"values": ["false", None]}) == [1, 0, 1, 0]


def test_of_a_set_of_classes_one_is_enough(run):
    classes = ["siren", "dog, cat", "dog", "cat"]
    members = [*([one] for one in classes), ["siren", "dog, cat"], ["dog", "cat"]]
    names = [*classes, "siren, “dog, cat”", "(dog, cat)"]
    column = {"kind": "category", "codes": [0, 1, 4, 5, -1]}
    column |= {"names": names, "members": members, "classes": classes}
    assert mask(run, column, {"values": ["siren"]}) == [1, 0, 1, 0, 0]
    assert mask(run, column, {"values": ["dog, cat"]}) == [0, 1, 1, 0, 0]
    assert mask(run, column, {"values": ["dog"]}) == [0, 0, 0, 1, 0]
    assert mask(run, column, {"values": ["dog"], "not": True}) == [1, 1, 1, 0, 1]
    assert mask(run, column, {"values": ["(dog, cat)"]}) == [0, 0, 0, 1, 0]
    assert mask(run, column, {"values": [None]}) == [0, 0, 0, 0, 1]


def test_numbers_can_be_asked_whether_they_have_a_value(run):
    column = {"kind": "number", "values": NUMBERS}
    has = [one is not None for one in NUMBERS]
    assert mask(run, column, {"values": [None], "not": True}) == has
    assert mask(run, column, {"values": [None]}) == [not one for one in has]


def test_all_words_must_occur_in_whatever_case(run):
    texts = ["Dog barks", "dog", "BARK of a dog", "cat"]
    column = {"kind": "text", "codes": [0, 1, 2, 3, -1], "names": texts}
    assert mask(run, column, {"words": " dog  Bark "}) == [1, 0, 1, 0, 0]


def hour_passes(second, low, high):
    time = datetime.fromtimestamp(second, UTC)
    hour = time.hour + time.minute / 60 + time.second / 3600
    return low <= hour < high if low <= high else hour >= low or hour < high


@pytest.mark.parametrize(("low", "high"), [(20, 24), (20, 4), (0, 24), (8, 9), (23, 1), (0, 0)])
def test_hours_of_the_day_pass_midnight_and_know_years_before_1970(run, low, high):
    rng = np.random.default_rng(0)
    day = 20_000 * 86_400
    edges = [day + hour * 3600 + more for hour in range(25) for more in (-1, 0, 1)]
    seconds = [*edges, *np.round(rng.uniform(-1e9, 2e9, 200)).tolist()]
    column = {"kind": "date", "values": [*seconds, None]}
    said = {"lo": low, "hi": high}
    wanted = [hour_passes(second, low, high) for second in seconds]
    assert mask(run, column, said, key="x@hour") == [*wanted, False]


def test_an_end_that_is_a_day_is_the_whole_day(run):
    texts = ["2024-02-29T00:00:00", "2024-02-29T23:59:59", "2024-03-01T00:00:00"]
    seconds = [datetime.fromisoformat(f"{text}+00:00").timestamp() for text in texts]
    column = {"kind": "date", "values": seconds}
    assert mask(run, column, {"lo": "2024-02-29", "hi": "2024-02-29"}) == [1, 1, 0]
    assert mask(run, column, {"lo": "2024-02-29T23:59", "hi": None}) == [0, 1, 1]
    assert mask(run, column, {"lo": None, "hi": "2024-02-29T00:00"}) == [1, 0, 0]


def test_what_a_filter_means_is_not_lost_in_the_address(run):
    filters = {
        "number": {"lo": -1.5, "hi": None, "missing": True},
        "open": {"lo": None, "hi": None},
        "time": {"lo": "2024-02-29", "hi": "2024-03-01T12:30"},
        "time@hour": {"lo": 20, "hi": 4},
        "names": {"values": [*NAMES, None]},
        **{f"alone {name}": {"values": [name]} for name in NAMES},
        "others": {"values": [None, "a,b"], "not": True},
        "meta:odd & name=1": {"words": "dog & 50 % <b>"},
    }
    there_and_back = "m.fromAddress(m.toAddress({ filters: given.filters })).filters"
    assert run("data/address", there_and_back, {"filters": filters}) == filters


def test_many_filters_together_pass_what_each_passes(run):
    rng = np.random.default_rng(1)
    masks = {f"f{i}": rng.integers(0, 2, 50).tolist() for i in range(4)}
    script = """(() => {
      const set = new m.MaskSet(50);
      for (const [key, mask] of Object.entries(given.masks)) set.set(key, Uint8Array.from(mask));
      set.set("f1", null);
      set.set("f0", Uint8Array.from(given.masks.f3));
      return [[...set.passing()], [...set.passing(["f2"])], [...set.passing(["f0", "f9"])]];
    })()"""
    f2, f3 = np.array(masks["f2"]), np.array(masks["f3"])
    all_pass, but_f2, but_f0 = run("data/masks", script, {"masks": masks})
    assert all_pass == (f2 & f3).tolist()
    assert but_f2 == f3.tolist()
    assert but_f0 == (f2 & f3).tolist()


@pytest.mark.parametrize("kind", ["whole", "real", "one", "none", "date", "tiny"])
def test_bins_are_round_and_hold_every_value_once(run, kind):
    rng = np.random.default_rng(2)
    values = {
        "whole": rng.integers(-3, 60, 500).astype(float),
        "real": rng.normal(0, 3, 500),
        "one": np.full(5, 4.2),
        "none": np.full(5, np.nan),
        "date": 1.7e9 + rng.random(500) * 4e7,
        "tiny": rng.random(500) * 1e-6,
    }[kind]
    given = [None if math.isnan(one) else one for one in [*values.tolist(), math.nan]]
    column = {"kind": "date" if kind == "date" else "number", "values": given}
    found = run(
        "panels/bins", "m.chooseBins(given.column.values, given.column.kind)", {"column": column}
    )
    rows = run(
        "panels/bins",
        "m.binRows(given.column.values, given.bins)",
        {"column": column, "bins": found},
    )
    start, step, n = found["start"], found["step"], found["n"]
    assert 1 <= n <= 42
    for value, row in zip(given, rows, strict=True):
        if value is None:
            assert row == n
        else:
            assert row < n
            assert (
                start + row * step - 1e-6 * step <= value <= start + (row + 1) * step * (1 + 1e-6)
            )
    if kind in ("whole", "real", "tiny"):
        mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert round(mantissa, 6) in (1, 2, 5, 10)


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_brushed_range_lies_where_it_was_brushed(run, is_whole):
    bins = {"start": -2, "step": 2 if is_whole else 0.2, "n": 10, "isWhole": is_whole}
    for first, last in [(0, 9), (3, 3), (2, 7)]:
        given = {"bins": bins, "first": first, "last": last}
        chosen = run("panels/bins", "m.binRange(given.bins, given.first, given.last)", given)
        ends = run(
            "panels/bins",
            "m.rangeOnAxis(given.bins, given.low, given.high)",
            {"bins": bins} | chosen,
        )
        assert ends["left"] == pytest.approx(first / 10)
        assert ends["right"] == pytest.approx((last + 1) / 10)


@pytest.mark.parametrize("is_descending", [False, True])
def test_sorting_is_stable_and_keeps_what_has_no_value_behind(run, is_descending):
    rng = np.random.default_rng(3)
    values = [None if one == 0 else float(one) for one in rng.integers(0, 5, 200)]
    given = {"column": {"kind": "number", "values": values}, "down": is_descending}
    order = run("data/sorting", "m.sortedRows(m.sortKeys(given.column), given.down)", given)
    sign = -1 if is_descending else 1
    wanted = sorted(range(200), key=lambda i: (values[i] is None, sign * (values[i] or 0)))
    assert order == wanted


def test_names_sort_as_people_sort_them(run):
    column = {
        "kind": "text",
        "codes": [0, 1, 2, -1, 3],
        "names": ["clip 10", "Clip 9", "clip 1", "b"],
    }
    order = run("data/sorting", "m.sortedRows(m.sortKeys(given.column), false)", {"column": column})
    assert order == [4, 2, 1, 0, 3]


def test_the_rows_in_sight_are_drawn_and_few_others(run):
    script = "m.rowsInSight(given.top, 280, 28, given.n, 3)"
    assert run("panels/viewport", script, {"top": 0, "n": 100_000}) == {"first": 0, "end": 13}
    assert run("panels/viewport", script, {"top": 28_000, "n": 100_000}) == {
        "first": 997,
        "end": 1013,
    }
    assert run("panels/viewport", script, {"top": 28_000, "n": 5}) == {"first": 5, "end": 5}
    assert run("panels/viewport", script, {"top": 0, "n": 0}) == {"first": 0, "end": 0}


def test_one_scrolls_no_further_than_needed(run):
    script = "[3, 12, 40].map((row) => m.scrollToRow(row, 280, 280, 28))"
    assert run("panels/viewport", script) == [84, 280, 868]


def test_keys_move_and_stop_at_the_ends(run):
    script = "given.keys.map((key) => m.moveByKey(key, 1, 10, 4))"
    keys = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", "x"]
    assert run("panels/viewport", script, {"keys": keys}) == [0, 2, 0, 5, 0, 9, None]
    assert run("panels/viewport", "m.moveByKey('End', -1, 0, 4)") is None


def test_clicks_select_as_in_every_list(run):
    script = "m.select([50, 40, 30, 20, 10], given.was, given.place, given.anchor, given.keys)"

    def select(was, place, anchor, **keys):
        return run(
            "panels/viewport", script, {"was": was, "place": place, "anchor": anchor, "keys": keys}
        )

    assert select([10], 1, 0) == [40]
    assert select([10], 1, 0, isCtrl=True) == [10, 40]
    assert select([10, 40], 1, 0, isCtrl=True) == [10]
    assert select([10], 3, 1, isShift=True) == [20, 30, 40]
    assert select([10], 0, 2, isShift=True) == [30, 40, 50]
    assert select([10], 0, 1, isShift=True, isCtrl=True) == [10, 40, 50]
    assert select([10], 3, -1, isShift=True) == [20]


@pytest.mark.parametrize(
    ("values", "is_32", "texts"),
    [
        ([1.0, None, 250.0], False, ["1", "", "250"]),
        ([0.5, 0.12345, 1.0], False, ["0.500", "0.123", "1.000"]),
        ([0.5, 0.12345], False, ["0.500", "0.123"]),
        ([3e-5, 1.234567e-5], False, ["0.0000300", "0.0000123"]),
        ([-30.5, 7.0, -12.1], True, ["-30.5", "7.0", "-12.1"]),
        ([12345.678, 0.5], False, ["12346", "1"]),
        ([None], False, [""]),
    ],
)
def test_numbers_of_a_column_have_the_same_decimals(run, values, is_32, texts):
    column = {"kind": "number", "values": values, "is32": is_32}
    script = "[...given.column.values.keys()].map((row) => m.valueText(given.column, row))"
    assert run("data/wording", script, {"column": column}) == texts


def test_filters_read_as_words(run):
    script = "given.filters.map(([filter, key]) => m.filterText(filter, key))"
    said = {
        "3 to 5": {"lo": 3, "hi": 5},
        "from 3, or no value": {"lo": 3, "hi": None, "missing": True},
        "up to 2024-02-01 12:30": {"lo": None, "hi": "2024-02-01T12:30"},
        "with a value": {"values": [None], "not": True},
        "not siren, no value": {"values": ["siren", None], "not": True},
        "a, b, 2 more": {"values": ["a", "b", "c", None]},
        "“dog bark”": {"words": "dog bark"},
    }
    given = {"filters": [[one, "x"] for one in said.values()]}
    assert run("data/wording", script, given) == list(said)
    hours = {"filters": [[{"lo": 20, "hi": 4}, "x@hour"]]}
    assert run("data/wording", script, hours) == ["20 h to 4 h"]


def test_times_of_a_clip_are_round(run):
    assert run("data/wording", "m.timeTicks(4, 5)") == [0, 1, 2, 3, 4]
    assert run("data/wording", "m.timeTicks(0.35, 4)") == [0, 0.1, 0.2, 0.3]
    assert run("data/wording", "[0, 3.25, 59.96, 61.7].map(m.clockText)") == [
        *("0:00.0", "0:03.2", "0:59.9", "1:01.7"),
    ]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("siren", ["siren"]),
        ("recordings/2024/north/clip_00017.wav", ["recordings/2024/north", "/clip_00017.wav"]),
        ("very_long_class_name_compressor_start", ["very_long_class_name_compressor", "_start"]),
        ("abcdefghijklmnopqrstuvwxyz0123456789", ["abcdefghijklmnopqrstuvwxyz01", "23456789"]),
        (
            "汽车喇叭街头音乐空调汽车喇叭街头音乐空调",
            ["汽车喇叭街头音乐空调汽车", "喇叭街头音乐空调"],
        ),
        ("صفارةالإنذارالبعيدةجدافيالشارع", ["صفارةالإنذارالبعيدةجدافيالشارع"]),
        (
            "a clip with a flag at its end 🇩🇪🇫🇷🇩🇪🇫🇷🇩🇪🇫🇷",
            ["a clip with a flag at its", " end 🇩🇪🇫🇷🇩🇪🇫🇷🇩🇪🇫🇷"],
        ),
    ],
)
def test_a_long_name_is_parted_before_a_sign_and_never_within_one(run, name, parts):
    assert run("data/wording", "m.splitName(given.name)", {"name": name}) == parts
