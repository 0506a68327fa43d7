"""The label config of Earmark's labeling page: written today, and as earlier ones are recognized.

Three habits of Label Studio 1.23 shape it.

A key switches its choice on *and off*, so the key of what is chosen already would clear it. No
attribute changes that. But one key may belong to several tags, and acts on them from top to bottom:
a hidden choice in front, which has every class's key, clears the answer first, and then the class's
own choice is always switched on. The hidden one lies inside another, which makes it no answer
itself, and is written in lower case, which Label Studio's server passes over.

Of an annotation, Label Studio leaves out what belongs to a tag that is visible only
``visibleWhen="choice-unselected"``, as soon as something is chosen; a ``<TextArea>`` is on the page
all the same. So people read a prediction's figures there, and no annotation carries them.

Label Studio draws waveform and playhead on one transparent canvas. It lies over the plot of the
spectrogram: light on dark, the waveform as a shadow, the playhead bright. Its own spectrogram takes
seconds to appear. Style sheets here do without ``>``, which Label Studio would escape.
"""

import hashlib
import re
from collections.abc import Sequence
from itertools import zip_longest
from xml.sax.saxutils import quoteattr

from ml_backend.label_studio.hotkeys import CLASS_KEYS, NONE_KEY

JUDGMENT = "judgment"
"""Name of the read-only ``<TextArea>`` in which a prediction tells its figures."""
NONE = "none"
"""Name of the ``<Choices>`` that say "none of them", where a clip may have several labels."""
NONE_OF_THEM = "none of them"
"""Their only choice."""

_NO_KEY = " "  # without one, Label Studio would give it a key that means something else on the map
_EARLIER_N_HOTKEYS = 9
_EARLIER_STYLES = frozenset(
    (
        "6eb77ce108c1c4e4308a6b6d700429be728db8b1f814f0869e77dae7a7c4c954",
        "bcd298a845849d3dd5708a14305fef49706f42fe2c4b39330c1fe751ffb97168",
        "fbb8a1eb7c31e1f94230440dc3d1fcc5559f4642598fef3b64d266d67b132b14",
    )
)
_STYLE = re.compile(r"(?<=<Style>).*?(?=</Style>)", re.DOTALL)


def write_page(class_names: Sequence[str], *, multi_label: bool) -> str:
    """Write the label config for class names that have been checked."""
    keys = CLASS_KEYS[: len(class_names)]
    choices = [
        _choice(name, key) for name, key in zip_longest(class_names, keys, fillvalue=_NO_KEY)
    ]
    return _PAGE.format(
        answer=_SEVERAL if multi_label else _ONE.format(clear=_clear(keys)),
        choices="\n".join(choices),
        none=_NO_LABEL.format(clear=_clear([NONE_KEY])) if multi_label else "",
    )


def is_earlier_page(xml: str, class_names: Sequence[str], *, multi_label: bool) -> bool:
    """Check whether a label config is, to the letter, one that an earlier Earmark wrote.

    Parameters
    ----------
    xml : str
    class_names, multi_label
        What the label config asks.
    """
    style = _STYLE.search(xml)
    if style is None or _digest(style[0]) not in _EARLIER_STYLES:
        return False
    keys = [str(number + 1) for number in range(_EARLIER_N_HOTKEYS)]
    pairs = zip_longest(class_names, keys[: len(class_names)])
    earlier = _EARLIER_PAGE.format(
        choice="multiple" if multi_label else "single-radio",
        choices="\n".join(_choice(name, key) for name, key in pairs),
    )
    # Label Studio takes blanks from the ends.
    return _STYLE.sub("", xml, count=1).strip() == earlier.strip()


def _choice(name: str, key: str | None) -> str:
    hotkey = f' hotkey="{key}"' if key else ""
    return f"    <Choice value={quoteattr(name)}{hotkey}/>"


def _clear(keys: Sequence[str]) -> str:
    inner = f'<choice hotkey="{",".join(keys)}"/>'
    return f'<choice hotkey="{_NO_KEY}" style="display: none">{inner}</choice>'


def _digest(style: str) -> str:
    return hashlib.sha256(style.encode()).hexdigest()


_ONE = """\
choice="single-radio" showInline="true"
      required="true" requiredMessage="Choose a label, or skip the clip.">
    {clear}"""
_SEVERAL = 'choice="multiple" showInline="true">'
_NO_LABEL = f"""
  <Choices name="{NONE}" toName="audio" choice="single-radio" showInline="true"
      visibleWhen="choice-unselected" whenTagName="sound"
      required="true" requiredMessage="Choose labels, or &quot;{NONE_OF_THEM}&quot;.">
    {{clear}}
    <Choice value="{NONE_OF_THEM}" hotkey="{NONE_KEY}"/>
  </Choices>"""

# The style hides the image's zoom tools, the table's "Name, Value" line and the field in which a
# person could type a judgment; it makes the choices large enough to click, lets the table be dark
# where the page is, lays the player over the spectrogram (whose plot begins 58/1200 from the left
# and ends 92/1200 from the right, 8 from the top and 24 from the bottom of 220 pixels) without the
# scroll bar that would hide the time axis, and folds the side panels until somebody points at them.
_PAGE = """\
<View>
  <Style>
    .lsf-toolbar, .ant-table-thead, .lsf-text-area form {{ display: none; }}
    .lsf-choices_layout_inline {{
      display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0 12px;
    }}
    .lsf-choices_layout_inline:not(:has(input:checked))::after {{
      content: "Choose what you hear."; align-self: center;
      color: var(--color-neutral-content-subtler);
    }}
    .lsf-choices_layout_inline ~ .lsf-choices_layout_inline::after,
    .lsf-choices_layout_inline:has(~ .lsf-choices_layout_inline input:checked)::after,
    .lsf-choice_layout_inline:has(.lsf-choice__item[style*=none]) {{ display: none; }}
    .lsf-choice_layout_inline .lsf-choice__item {{
      border: 1px solid var(--color-neutral-border); border-radius: 6px;
      padding: 8px 14px; font-size: 16px; line-height: 24px;
    }}
    .lsf-choice_layout_inline .lsf-choice__checkbox {{ margin: 0; padding: 0; }}
    .ant-table, .ant-table table, .ant-table-container, .ant-table-cell {{
      background: transparent !important; color: inherit !important;
      border-color: var(--color-neutral-border) !important;
    }}
    .ant-table-cell {{ padding: 4px 12px !important; }}
    .sound {{ max-width: 1400px; }}
    .sound .lsf-object {{ height: 220px; overflow: hidden; }}
    .sound .lsf-image, .sound .lsf-image img {{
      width: 100% !important; height: 220px !important; clip: auto !important;
    }}
    .sound .lsf-object canvas {{ display: none !important; }}
    .sound .lsf-audio-tag {{ width: 87.5%; margin: -245px 0 0 4.8333%; padding: 0; }}
    .sound .lsf-audio-tag canvas {{
      clip-path: inset(33px 0 0 0); mix-blend-mode: screen; filter: invert(1) contrast(4);
    }}
    .sound .lsf-audio-tag div {{ scrollbar-width: none; }}
    [data-color-scheme=dark] .sound .lsf-audio-tag canvas {{
      filter: brightness(0.7) contrast(4);
    }}
    .sound .lsf-timeline-controls {{ margin-top: 24px; }}
    .lsf-sidepanels {{ padding-right: 24px !important; }}
    .lsf-sidepanels__wrapper_align_right {{ max-width: 24px; overflow: hidden; }}
    .lsf-sidepanels__wrapper_align_right:hover {{
      max-width: 100%; transition: max-width 0s 0.4s;
    }}
  </Style>
  <Header value="$clip" size="5"/>
  <View className="sound">
    <Image name="spectrogram" value="$spectrogram" width="100%" maxWidth="100%"
        zoomControl="false"/>
    <Audio name="audio" value="$audio" hotkey="space" height="201"/>
  </View>
  <Choices name="sound" toName="audio" {answer}
{choices}
  </Choices>{none}
  <TextArea name="judgment" toName="audio" editable="false" maxSubmissions="1"
      visibleWhen="choice-unselected"/>
  <Table name="metadata" value="$meta"/>
</View>
"""
_EARLIER_PAGE = """\
<View>
  <Style></Style>
  <Header value="$clip" size="5"/>
  <Image name="spectrogram" value="$spectrogram" width="100%" maxWidth="100%" zoomControl="false"/>
  <Audio name="audio" value="$audio" hotkey="space" height="64"/>
  <Choices name="sound" toName="audio" choice="{choice}" showInline="true">
{choices}
  </Choices>
  <TextArea name="judgment" toName="audio" editable="false" maxSubmissions="1"/>
  <Table name="metadata" value="$meta"/>
</View>
"""
