"""Conditions as filters of the map: the same clips, or none of it."""

import numpy as np
import pytest

from ml_backend.store.queue import Wanted
from ml_backend.web.pages.where_to_filters import N_NAMED, as_filters, map_of_left
from ml_backend.web.snapshot.queue_status import Asked

KINDS = {
    "recording": "category",
    "clip": "text",
    "meta:salience": "number",
    "meta:recorded_at": "date",
    "meta:weather": "category",
    "meta:wet": "boolean",
    "meta:wind speed": "number",
}


@pytest.mark.parametrize(
    ("condition", "filters"),
    [
        ("salience == 1", {"meta:salience": "1..1"}),
        ("salience >= 0.5", {"meta:salience": "0.5.."}),
        ("-1 <= salience", {"meta:salience": "-1.."}),
        ("1 <= salience <= 2", {"meta:salience": "1..2"}),
        ("salience >= 1 and 2 >= salience", {"meta:salience": "1..2"}),
        ("`wind speed` <= 3", {"meta:wind speed": "..3"}),
        ("hour(recorded_at) >= 20", {"meta:recorded_at@hour": "20..24"}),
        ("hour(recorded_at) == 8", {"meta:recorded_at@hour": "8..9"}),
        ("8 <= hour(recorded_at) < 20", {"meta:recorded_at@hour": "8..20"}),
        ("7 < hour(recorded_at) <= 9", {"meta:recorded_at@hour": "8..10"}),
        ("weather == 'rain, hail'", {"meta:weather": "rain%2C%20hail"}),
        ("weather in ['snow', 'rain', '-']", {"meta:weather": "%2D,rain,snow"}),
        ("clip == 'a.wav'", {"clip": "a%2Ewav"}),
        ("wet and salience == 2", {"meta:wet": "true", "meta:salience": "2..2"}),
        ("wet == False", {"meta:wet": "false"}),
    ],
)
def test_what_filters_can_say_is_said(condition, filters):
    assert as_filters(condition, KINDS) == filters


@pytest.mark.parametrize(
    "condition",
    [
        "salience > 1",
        "salience != 1",
        "salience in [1, 2]",
        "salience == 1 or wet",
        "not wet",
        "missing(salience)",
        "'rain' in weather",
        "weather not in ['rain']",
        "weather == 'rain' and weather == 'snow'",
        "weather >= 'rain'",
        "weather in []",
        "hour(recorded_at) <= 8",
        "hour(recorded_at) >= 22 and hour(recorded_at) < 4",
        "hour(recorded_at) >= 19.5",
        "hour(weather) >= 20",
        "date(recorded_at) >= '2024-05-01'",
        "recorded_at >= '2024-05-01'",
        "recording_id == 'r1'",
        "gone == 1",
    ],
)
def test_what_they_cannot_say_is_left_to_the_clips(condition):
    assert as_filters(condition, KINDS) is None


def asked(where, n_left):
    wanted = Wanted(where, None, "", 1.0)
    return Asked(wanted, np.arange(n_left + 3), list(range(n_left)), {"no_label": 3})


def test_a_long_list_of_clips_is_cut_and_says_so():
    address, n_shown = map_of_left(1, asked("salience > 1", 3 * N_NAMED), KINDS)
    assert n_shown == N_NAMED
    assert address.endswith(f",{N_NAMED - 1}")


def test_what_is_left_is_what_is_in_the_pool():
    assert map_of_left(1, asked("wet", 2), KINDS) == (
        "/projects/1/map?f.meta:wet=true&f.state=in%20the%20pool",
        2,
    )


def test_an_address_that_no_server_takes_is_not_made():
    names = [f"{'ß' * 20}{number}" for number in range(60)]
    address, _ = map_of_left(1, asked(f"weather in {names}", 2), KINDS)
    assert address == "/projects/1/map?focus=0#sel=0,1"
