"""What a project tells its annotators before they begin."""

from ml_backend.label_studio.label_config import LabelConfig

_TEXT = """\
<p>Listen to the clip, look at its spectrogram, and choose what you hear.</p>
<ul>
<li>{choosing}</li>
<li><b>Space</b> plays the clip. <b>Ctrl+Enter</b> submits, and so does <b>Enter</b> alone where
Label Studio is set up for it.</li>
<li>You cannot tell? <b>Skip</b> (<b>Ctrl+Space</b>): the clip teaches nothing and nobody is asked
again.</li>
<li>Each next clip is the one that teaches the model most, so many of them are hard ones.</li>
</ul>"""
_ONE = """\
Each label has a key, which stands beside it; pressing it again keeps the label. A label that
is chosen already is the model's guess: submit it if it is right, change it whenever you hear
otherwise. Nothing is submitted without a label."""
_SEVERAL = """\
Each label has a key, which stands beside it and switches it on and off. Labels that are on
already are the model's guess: submit them if they are right and complete. If you hear none of the
labels, choose <b>none of them</b> (<b>n</b>), which is offered as soon as all of them are off."""

EARLIER = (
    """\
<p>Listen to the clip, look at its spectrogram, and choose what you hear.</p>
<ul>
<li><b>1</b> to <b>9</b> pick a label, <b>Space</b> plays the clip, <b>Ctrl+Enter</b> submits.</li>
<li>A label that is already picked is the model's guess. Change it whenever you hear otherwise.</li>
<li>You cannot tell? <b>Skip</b> (<b>Ctrl+Space</b>): the clip teaches nothing and nobody is asked
again.</li>
<li>Each next clip is the one that teaches the model most, so many of them are hard ones.</li>
</ul>""",
)
"""What earlier versions wrote, to the letter."""


def write_instructions(config: LabelConfig) -> str:
    """Write the instructions, as HTML, for what a project asks."""
    return _TEXT.format(choosing=_SEVERAL if config.multi_label else _ONE)


def renew_instructions(present: str, config: LabelConfig) -> str:
    """Replace what an earlier version wrote; leave everything else as it is."""
    for earlier in EARLIER:
        present = present.replace(earlier, write_instructions(config))
    return present
