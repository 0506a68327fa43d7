import json

import numpy as np
import pytest
from label_studio_sdk.label_interface import LabelInterface

from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.label_studio.prediction import build_prediction
from ml_backend.learning.decision import Rule

NAMES = ["siren", 'dog & "cat"', "Straßenmusik"]
REGIONS = (
    '<View><Labels name="events" toName="audio"><Label value="siren"/></Labels>'
    '<Audio name="audio" value="$audio"/></View>'
)


def predict(xml, probabilities, *, rank=3, n_pool=1260, entropy=0.5, offsets=0.0):
    config = parse_label_config(xml)
    rule = Rule("f1", np.zeros(len(config.class_names)) + offsets, config.multi_label)
    p = None if probabilities is None else np.array(probabilities)
    return build_prediction(
        12,
        config,
        p,
        predicted=None if p is None else rule.decide(p[None])[0],
        entropy=entropy,
        margin=0.25,
        coverage_distance=0.125,
        rank=rank,
        n_pool=n_pool,
        model_version="earmark-4-abc",
    )


def results(prediction):
    return {result["type"]: result for result in prediction["result"]}


@pytest.mark.parametrize(
    ("multi_label", "probabilities", "chosen"),
    [
        (False, [0.2, 0.7, 0.1], [NAMES[1]]),
        (True, [0.5, 0.7, 0.1], NAMES[:2]),
        (True, [0.1, 0.49, 0.1], None),
    ],
)
def test_label_studio_validates_what_is_predicted(multi_label, probabilities, chosen):
    xml = label_config_xml(NAMES, multi_label=multi_label)
    prediction = json.loads(json.dumps(predict(xml, probabilities)))
    assert LabelInterface(xml).validate_prediction(prediction, return_errors=True) == []
    found = results(prediction)
    assert (found["choices"]["value"]["choices"] if chosen else found.get("choices")) == chosen


def test_a_choice_carries_the_probability_of_its_least_probable_class():
    single = results(predict(label_config_xml(NAMES, multi_label=False), [0.2, 0.7, 0.1]))
    assert single["choices"]["score"] == 0.7
    several = results(predict(label_config_xml(NAMES, multi_label=True), [0.6, 0.7, 0.1]))
    assert several["choices"]["score"] == 0.6


def test_programs_find_every_figure_in_the_first_result():
    for multi_label, probabilities in [(False, [0.2, 0.7, 0.1]), (True, [0.1, 0.1, 0.1])]:
        prediction = predict(label_config_xml(NAMES, multi_label=multi_label), probabilities)
        assert prediction["result"][0]["meta"] == {
            "probabilities": dict(zip(NAMES, probabilities, strict=True)),
            "entropy": 0.5,
            "margin": 0.25,
            "coverage_distance": 0.125,
            "rank": 3,
            "n_pool": 1260,
        }


def test_what_an_annotation_would_copy_holds_the_choice_and_its_probability_alone():
    prediction = predict(label_config_xml(NAMES, multi_label=False), [0.2, 0.7, 0.1])
    choice = results(prediction)["choices"]
    assert (choice["value"], choice["score"]) == ({"choices": [NAMES[1]]}, 0.7)
    assert "meta" not in choice


def test_people_read_the_figures_in_words():
    prediction = predict(label_config_xml(NAMES, multi_label=False), [0.2, 0.7, 0.1])
    [told] = results(prediction)["textarea"]["value"]["text"]
    assert told == (
        'dog & "cat" 0.70 · siren 0.20 · Straßenmusik 0.10 · entropy 0.50 · '
        "nearest label at 0.12 · place 4 of 1,260"
    )


def test_people_read_why_the_likeliest_class_is_not_predicted():
    xml = label_config_xml(["siren", "other"], multi_label=False)
    prediction = predict(xml, [0.7, 0.3], offsets=np.array([-1.0, 0.0]))
    choice = results(prediction)["choices"]
    assert (choice["value"], choice["score"]) == ({"choices": ["other"]}, 0.3)
    [told] = results(prediction)["textarea"]["value"]["text"]
    assert told.startswith(
        "siren 0.70 · other 0.30 · predicted: other, for siren is too rare to be believed · "
    )


@pytest.mark.parametrize("n_pool", [0, 300])
def test_a_clip_that_is_answered_has_no_place_in_the_order(n_pool):
    xml = label_config_xml(NAMES, multi_label=False)
    prediction = predict(xml, [0.2, 0.7, 0.1], rank=n_pool, n_pool=n_pool)
    [told] = results(prediction)["textarea"]["value"]["text"]
    assert told.endswith("nearest label at 0.12")


def test_a_users_own_config_without_a_place_for_it_gets_the_choice_alone():
    xml = (
        '<View><Audio name="a" value="$a"/><Choices name="c" toName="a">'
        '<Choice value="x"/><Choice value="y"/></Choices></View>'
    )
    prediction = predict(xml, [0.9, 0.1])
    assert list(results(prediction)) == ["choices"]
    assert prediction["result"][0]["meta"]["entropy"] == 0.5
    assert LabelInterface(xml).validate_prediction(prediction, return_errors=True) == []


def test_label_studio_serves_the_lowest_score_first_so_the_score_is_the_place():
    xml = label_config_xml(NAMES, multi_label=False)
    scores = [predict(xml, None, rank=rank, n_pool=4)["score"] for rank in range(4)]
    assert scores == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("rank", "n_pool"), [(0, 0), (9, 4)])
def test_a_score_never_leaves_its_range(rank, n_pool):
    score = predict(label_config_xml(NAMES, multi_label=False), None, rank=rank, n_pool=n_pool)
    assert 0 <= score["score"] <= 1


def test_before_a_classifier_exists_nothing_but_the_place_is_told():
    prediction = predict(label_config_xml(NAMES, multi_label=False), None, entropy=None)
    assert prediction == {
        "task": 12,
        "model_version": "earmark-4-abc",
        "score": 3 / 1260,
        "result": [],
    }


def test_no_region_is_invented():
    assert predict(REGIONS, [0.9])["result"] == []
