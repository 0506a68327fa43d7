"""The environment that a Label Studio of one's own is started with."""

import json
import os
from pathlib import Path

from importer.demo.login import Credentials

FLAGS = {
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
    # The backend is on this machine too, and Label Studio refuses such addresses by default.
    "ML_BLOCK_LOCAL_IP": "false",
    "SSRF_PROTECTION_ENABLED": "false",
    # Without it every import of predictions recounts every task of the project.
    "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short": "true",
    # One key for the most frequent step: the guess is right, or the label is chosen.
    "EDITOR_KEYMAP": json.dumps({"annotation:submit": {"key": "enter,ctrl+enter"}}),
    # A clip that somebody opened and left is served to others after an hour, not after a day.
    "TASK_LOCK_TTL": "3600",
    "COLLECT_ANALYTICS": "false",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "LATEST_VERSION_CHECK": "false",
    "LOG_LEVEL": "WARNING",
}


def environment(
    login: Credentials, command: Path, data_dir: Path, files_root: Path
) -> dict[str, str]:
    """Return what Label Studio needs, and nothing of the caller's own environment.

    The login goes this way, too: arguments can be read by everybody on the machine.

    Parameters
    ----------
    login : Credentials
        Of its first user.
    command : Path
        The ``label-studio`` that is started.
    data_dir, files_root : Path
        Where it keeps its data, and the folder below which it serves local files.
    """
    return {
        "HOME": str(data_dir),
        "PATH": f"{command.parent}{os.pathsep}{os.defpath}",
        "LANG": "C.UTF-8",
        "LABEL_STUDIO_BASE_DATA_DIR": str(data_dir),
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(files_root),
        "LABEL_STUDIO_USERNAME": login.username,
        "LABEL_STUDIO_PASSWORD": login.password,
        "LABEL_STUDIO_USER_TOKEN": login.token,
        "SECRET_KEY": login.session_key,
        **FLAGS,
    }
