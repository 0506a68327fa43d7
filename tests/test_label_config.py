import pytest
from label_studio_sdk.label_interface import LabelInterface

from ml_backend.errors import LabelConfigError
from ml_backend.label_config import label_config_xml, parse_label_config

AUDIO = '<Audio name="audio" value="$audio"/>'


def choices(inner='<Choice value="siren"/><Choice value="other"/>', **attributes):
    given = {"name": "sound", "toName": "audio", **attributes}
    written = " ".join(f'{name}="{value}"' for name, value in given.items())
    return f"<Choices {written}>{inner}</Choices>"


def view(*tags):
    return f"<View>{''.join(tags)}</View>"


def test_a_plain_config_is_read_whole():
    config = parse_label_config(view(AUDIO, choices()))
    assert config.class_names == ("siren", "other")
    assert not config.multi_label
    assert (config.from_name, config.to_name) == ("sound", "audio")
    assert (config.control, config.audio_field) == ("choices", "audio")
    assert config.judgment_name is None


@pytest.mark.parametrize(
    ("how", "multi_label"), [("single", False), ("single-radio", False), ("multiple", True)]
)
def test_the_kind_of_choice_decides_how_many_labels_a_clip_has(how, multi_label):
    assert parse_label_config(view(AUDIO, choices(choice=how))).multi_label is multi_label


def test_a_choice_is_called_what_label_studio_writes_into_annotations():
    inner = '<Choice value="Emergency &amp; co" alias="siren"/><Choice value="Straßenmusik"/>'
    xml = view(AUDIO, choices(inner))
    config = parse_label_config(xml)
    assert config.class_names == ("siren", "Straßenmusik")
    assert tuple(LabelInterface(xml).get_control("sound").labels) == config.class_names


def test_regions_count_as_presence():
    labels = '<Labels name="events" toName="audio"><Label value="siren"/></Labels>'
    config = parse_label_config(view(labels, AUDIO))
    assert (config.control, config.multi_label) == ("labels", True)
    assert config.class_names == ("siren",)


def test_the_choices_of_the_sound_win_over_other_choices_and_over_regions():
    xml = view(
        '<Image name="picture" value="$picture"/>',
        choices(name="of_picture", toName="picture"),
        '<Labels name="events" toName="audio"><Label value="x"/></Labels>',
        choices(name="first", toName="audio"),
        choices(name="second", toName="audio"),
        AUDIO,
    )
    assert parse_label_config(xml).from_name == "first"


def test_choices_that_point_to_the_picture_will_do_where_there_are_no_others():
    xml = view('<Image name="picture" value="$p"/>', AUDIO, choices(toName="picture"))
    config = parse_label_config(xml)
    assert (config.to_name, config.audio_field) == ("picture", "audio")


def test_the_sound_that_is_asked_about_is_the_one_heard():
    other = '<Audio name="ambience" value="$ambience"/>'
    config = parse_label_config(view(other, '<Audio name="a" value="$clip"/>', choices(toName="a")))
    assert config.audio_field == "clip"


def test_choices_for_regions_are_passed_over():
    xml = view(AUDIO, choices(name="per_region", perRegion="true"), choices(name="of_clip"))
    assert parse_label_config(xml).from_name == "of_clip"


def test_upper_and_lower_case_do_not_matter():
    xml = '<View><audio name="audio" value="$audio"/>' + choices().replace("Choice", "choice")
    assert parse_label_config(xml + "</View>").class_names == ("siren", "other")


@pytest.mark.parametrize(
    ("xml", "word"),
    [
        ("", "well-formed"),
        ("<View><Audio></View>", "well-formed"),
        (view(choices()), "no <Audio>"),
        (view(AUDIO), "nothing to choose"),
        (view(AUDIO, choices(perRegion="true")), "per region"),
        (view(AUDIO, choices("")), "offers nothing"),
        (view(AUDIO, choices('<Choice value="siren"/>')), "only 'siren'"),
        (view(AUDIO, choices("<Choice/>")), "has no value"),
        (view(AUDIO, choices("", value="$options")), "from the task"),
        (view(AUDIO, choices(allowNested="true")), "nested"),
        (view(AUDIO, choices(choice="ranked")), "choice='ranked'"),
        (view('<Audio name="audio" value="clip.wav"/>', choices()), 'value="\\$audio"'),
    ],
)
def test_what_cannot_be_learned_is_refused_with_a_clear_word(xml, word):
    with pytest.raises(LabelConfigError, match=word):
        parse_label_config(xml)


def test_an_entity_that_would_grow_or_read_a_file_is_refused():
    bomb = (
        '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">'
        "]>" + view(AUDIO, choices('<Choice value="&b;"/><Choice value="&f;"/>'))
    )
    with pytest.raises(LabelConfigError, match="DOCTYPE"):
        parse_label_config(bomb)


NAMES = ["siren", 'dog & "cat"', "<shot>", "Straßenmusik", "it's", "{braces}", "7", "8", "9", "10"]


@pytest.mark.parametrize("multi_label", [True, False])
def test_any_name_survives_the_template(multi_label):
    config = parse_label_config(label_config_xml(NAMES, multi_label=multi_label))
    assert config.class_names == tuple(NAMES)
    assert config.multi_label is multi_label
    assert config.judgment_name == "judgment"


@pytest.mark.parametrize("multi_label", [True, False])
def test_the_template_is_one_that_label_studio_accepts(multi_label):
    interface = LabelInterface(label_config_xml(NAMES, multi_label=multi_label))
    interface.validate()
    assert {tag.tag for tag in interface.objects} == {"Image", "Audio", "Table"}


@pytest.mark.parametrize("n_classes", [2, 10, 14, 25])
def test_each_class_has_a_key_that_means_nothing_else_on_the_map(n_classes):
    names = [f"class {number}" for number in range(n_classes)]
    config = parse_label_config(label_config_xml(names, multi_label=False))
    assert config.hotkeys == tuple("1234567890qwetadgyiopjknm")[:n_classes]


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        (("", "", ""), ("1", "2", "3")),
        (("", "1", ""), ("2", "1", "3")),
        (("Q", "3", ""), ("q", "3", "1")),
        (("2", "2", ""), ("2", "2", "1")),
        (("f,g", "", "shift+a"), ("f", "1", "shift+a")),
    ],
)
def test_a_class_without_a_key_gets_the_first_that_is_free(given, keys):
    inner = "".join(
        f'<Choice value="{name}"{f" hotkey={key!r}" if key else ""}/>'
        for name, key in zip("abc", given, strict=True)
    )
    assert parse_label_config(view(AUDIO, choices(inner))).hotkeys == keys


def test_what_stands_above_the_choices_takes_its_keys_first():
    rating = '<Rating name="quality" toName="audio"/>'
    mood = choices(name="mood", toName="audio", inner='<Choice value="x"/><Choice value="y"/>')
    sound = choices()
    assert parse_label_config(view(AUDIO, rating, sound, mood)).hotkeys == ("2", "3")
    assert parse_label_config(view(AUDIO, sound, mood, rating)).hotkeys == ("1", "2")


def test_after_the_last_key_there_is_none():
    inner = "".join(f'<Choice value="{number}"/>' for number in range(35))
    hotkeys = parse_label_config(view(AUDIO, choices(inner))).hotkeys
    assert "".join(hotkeys) == "1234567890qwetasdfgzxcvbyiopjklnm"
    assert hotkeys[33:] == ("", "")


def test_a_name_twice_has_its_first_key():
    inner = '<Choice value="a"/><Choice value="b"/><Choice value="a"/><Choice value="c"/>'
    assert parse_label_config(view(AUDIO, choices(inner))).hotkeys == ("1", "2", "4")


@pytest.mark.parametrize("names", [[], ["siren"], ["siren", ""], ["siren", "siren "]])
def test_too_few_empty_or_repeated_names_are_refused(names):
    with pytest.raises(LabelConfigError, match="wanted at least 2"):
        label_config_xml(names, multi_label=False)


def test_one_label_that_a_clip_may_have_or_not_is_enough():
    config = parse_label_config(label_config_xml(["siren"], multi_label=True))
    assert config.class_names == ("siren",)
