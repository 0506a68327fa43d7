import io
import re
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from label_studio_sdk.label_interface import LabelInterface
from PIL import Image

from ml_backend.audio.spectrogram import BOTTOM, LEFT, RIGHT, TOP, render_spectrogram
from ml_backend.errors import LabelConfigError
from ml_backend.label_studio.label_config import label_config_xml, parse_label_config
from ml_backend.label_studio.labeling_page import is_earlier_page

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


@pytest.mark.parametrize("n_classes", [2, 10, 14, 24])
def test_each_class_has_a_key_that_means_nothing_else_on_the_map(n_classes):
    names = [f"class {number}" for number in range(n_classes)]
    config = parse_label_config(label_config_xml(names, multi_label=False))
    assert config.hotkeys == tuple("1234567890qwetadgyiopjkm")[:n_classes]


def test_after_the_last_key_there_is_none_that_means_something_else_on_the_map():
    names = [f"class {number}" for number in range(27)]
    config = parse_label_config(label_config_xml(names, multi_label=False))
    assert config.hotkeys[23:] == ("m", "", "", "")


def test_a_page_for_one_label_requires_it_and_one_for_several_has_none_of_them():
    one, several = (parse_label_config(label_config_xml(NAMES, multi_label=m)) for m in (0, 1))
    assert (one.is_required, one.none_name) == (True, None)
    assert (several.is_required, several.none_name) == (False, "none")
    assert "none of them" not in several.class_names
    assert not {"", "n"} & set(several.hotkeys)


def test_choices_called_none_are_a_question_like_any_other_where_they_are_the_only_one():
    config = parse_label_config(view(AUDIO, choices(name="none", choice="multiple")))
    assert (config.from_name, config.none_name) == ("none", None)


def test_the_classes_keys_clear_the_answer_before_they_choose():
    tree = fromstring(label_config_xml(["siren", "other"], multi_label=False))
    (question,) = tree.iter("Choices")
    first = question[0]
    assert (first.tag, first[0].get("hotkey")) == ("choice", "1,2")
    assert "value" not in {*first.keys(), *first[0].keys()}


def test_the_player_lies_over_the_plot_of_the_spectrogram():
    width, height = Image.open(io.BytesIO(render_spectrogram(np.ones(8000), 8000))).size
    style = label_config_xml(["siren", "other"], multi_label=False)
    share = re.search(r"lsf-audio-tag {\s*width: ([\d.]+)%; margin: -(\d+)px 0 0 ([\d.]+)%", style)
    assert float(share[1]) == pytest.approx(100 * (1 - (LEFT + RIGHT) / width), abs=1e-3)
    assert float(share[3]) == pytest.approx(100 * LEFT / width, abs=1e-3)
    assert f"height: {height}px" in style
    canvas_height = int(re.search(r'<Audio [^>]*height="(\d+)"', style)[1]) + 20
    hidden = int(re.search(r"clip-path: inset\((\d+)px", style)[1])
    assert int(share[2]) == height - TOP + hidden
    assert canvas_height - hidden == height - TOP - BOTTOM


EARLIER = """\
<View>
  <Style>
    .lsf-toolbar, .ant-table-thead, .lsf-text-area form { display: none; }
    .lsf-choices_layout_inline {
      display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0 12px;
    }
    .lsf-choice_layout_inline .lsf-choice__item {
      border: 1px solid var(--color-neutral-border); border-radius: 6px;
      padding: 8px 14px; font-size: 16px; line-height: 24px;
    }
    .lsf-choice_layout_inline .lsf-choice__checkbox { margin: 0; padding: 0; }
    .ant-table, .ant-table table, .ant-table-container, .ant-table-cell {
      background: transparent !important; color: inherit !important;
      border-color: var(--color-neutral-border) !important;
    }
    .ant-table-cell { padding: 4px 12px !important; }
  </Style>
  <Header value="$clip" size="5"/>
  <Image name="spectrogram" value="$spectrogram" width="100%" maxWidth="100%" zoomControl="false"/>
  <Audio name="audio" value="$audio" hotkey="space" height="64"/>
  <Choices name="sound" toName="audio" choice="single-radio" showInline="true">
    <Choice value="siren" hotkey="1"/>
    <Choice value="other" hotkey="2"/>
  </Choices>
  <TextArea name="judgment" toName="audio" editable="false" maxSubmissions="1"/>
  <Table name="metadata" value="$meta"/>
</View>
"""


def test_a_page_of_an_earlier_version_is_recognized_to_the_letter():
    names = ("siren", "other")
    assert is_earlier_page(EARLIER, names, multi_label=False)
    assert is_earlier_page(EARLIER.strip(), names, multi_label=False)  # as Label Studio gives it
    assert not is_earlier_page(EARLIER, names, multi_label=True)
    for mine in ('height="65"', 'height="64" '):
        changed = EARLIER.replace('height="64"', mine)
        assert not is_earlier_page(changed, names, multi_label=False)
    assert not is_earlier_page(EARLIER.replace("8px 14px", "9px 14px"), names, multi_label=False)
    today = label_config_xml(names, multi_label=False)
    assert not is_earlier_page(today, names, multi_label=False)


def test_earlier_pages_of_many_odd_or_several_labels_are_recognized_too():
    lines = [
        f"    <Choice value={quoteattr(name)}" + (f' hotkey="{place}"/>' if place < 10 else "/>")
        for place, name in enumerate(NAMES, start=1)
    ]
    earlier = re.sub("    <Choice .*/>\n", "", EARLIER)
    earlier = earlier.replace("single-radio", "multiple")
    earlier = earlier.replace("  </Choices>", "\n".join([*lines, "  </Choices>"]))
    config = parse_label_config(earlier)
    assert config.class_names == tuple(NAMES)
    assert is_earlier_page(earlier, config.class_names, multi_label=True)


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
