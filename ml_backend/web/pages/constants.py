"""Constants that the pages' scripts share with the server (``static/data/constants.js``)."""

from ml_backend.audio import spectrogram
from ml_backend.clip import STATES
from ml_backend.label_studio.labeling_page import NONE_OF_THEM
from ml_backend.web.access.guard import CSRF_HEADER
from ml_backend.web.api.label_queue import N_AHEAD
from ml_backend.web.api.tab import MAX_TITLE
from ml_backend.web.pages.map_links import LONGEST_ADDRESS

CONSTANTS = {
    "csrf_header": CSRF_HEADER,
    "longest_address": LONGEST_ADDRESS,
    "max_title": MAX_TITLE,
    "n_ahead": N_AHEAD,
    "none_of_them": NONE_OF_THEM,
    "spectrogram_margins_px": {
        "left": spectrogram.LEFT,
        "right": spectrogram.RIGHT,
        "top": spectrogram.TOP,
        "bottom": spectrogram.BOTTOM,
    },
    "states": STATES,
}
"""Written into every page, as JSON in ``data-constants`` of its root element."""
