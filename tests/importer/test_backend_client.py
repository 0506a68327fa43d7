"""The client of the running backend."""

import threading

from werkzeug.serving import make_server

from importer.backend_client import Backend
from ml_backend.label_studio import LabelStudio
from ml_backend.settings import Settings, read_secret
from ml_backend.web import create_app


def test_a_client_made_before_the_backend_has_a_secret_knows_it_once_it_has(tmp_path):
    settings = Settings(data_dir=tmp_path, embedder="melstats", api_key="a" * 40, port=0)
    early = Backend(settings)
    read_secret(settings)
    app = create_app(settings, LabelStudio("http://studio.test", settings.api_key))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        early._client.base_url = f"http://127.0.0.1:{server.server_port}"
        assert early.status()["projects"] == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
