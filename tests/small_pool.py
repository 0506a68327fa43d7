"""A small Flask app that keeps the pages' HTTP contract, without a store and without Label Studio.

What is written into it stays in memory, where a test reads it back.
"""

import io
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import soundfile
from flask import Flask, jsonify, render_template_string, request, send_file

from ml_backend.audio.spectrogram import render_spectrogram
from ml_backend.clip import STATES
from ml_backend.settings import Settings
from ml_backend.web.http import headers
from ml_backend.web.pages import static_files
from tests.sounds import tone

CSRF_TOKEN = "shown-on-the-page"
SAMPLE_RATE_HZ = 16_000
DURATION_S = 1.5
CLASS_NAMES = ["siren", "<b>bark</b>", "other"]
STREETS = [f"street {number}" for number in range(20)]
STUDIO_KEYS = "1234567890qwetasdfgzxcvbyiopjklnm"  # as Label Studio hands them out
BULK_PIECE = 50
MISSING = 255  # among codes of one byte
GROUPS = {
    **{
        "label": "labels",
        "state": "labels",
        "skipped": "labels",
        "predicted": "model",
        "entropy": "model",
    },
    **{"coverage": "model", "rank": "model"},
}
METADATA = (
    *("recording", "clip", "meta:salience", "meta:level_db", "meta:taken", "meta:street"),
    "meta:outdoors",
)


def packed(n, columns, **extras):
    """Write columns, ``(name, kind, dtype, values, more)``, in the packed form."""
    described, body = [], b""
    for name, kind, dtype, values, more in columns:
        entry = {"name": name, "kind": kind, "dtype": dtype, "offset": len(body), **more}
        described.append(entry)
        body += np.asarray(values, dtype=f"<{dtype}").tobytes()
        body += b"\0" * (-len(body) % 8)

    def written(start):
        shifted = [{**entry, "offset": start + entry["offset"]} for entry in described]
        return json.dumps({"n": n, **extras, "columns": shifted}).encode()

    start = (4 + len(written(10**9)) + 7) // 8 * 8
    header = written(start).ljust(start - 4)
    return len(header).to_bytes(4, "little") + header + body


class SmallPool:
    """Clips with every kind of column, some values missing, and what a visitor wrote of them."""

    def __init__(self, n=300, *, multi_label=False, seed=0, class_names=CLASS_NAMES, hotkeys=None):
        rng = np.random.default_rng(seed)
        self.class_names = list(class_names)
        self.hotkeys = [*STUDIO_KEYS[: len(class_names)]] if hotkeys is None else hotkeys
        self.n, self.multi_label, self.revision = n, multi_label, 1
        self.ids = 10 + 3 * np.arange(n)
        self.labels = {
            int(i): [class_names[rng.integers(len(class_names))]] for i in self.ids[: n // 5]
        }
        if multi_label:
            for task_id in list(self.labels)[::2]:
                self.labels[task_id] = ["siren", "other"]
        self.skipped = {int(self.ids[n // 4])} if n > 3 else set()
        self.probabilities = rng.dirichlet(
            np.full(len(class_names), 0.5), n
        )  # (n_clips, n_classes)
        terms = self.probabilities * np.log(self.probabilities + 1e-12)
        self.entropy = np.clip(-terms.sum(axis=1) / np.log(len(class_names)), 0, 1)
        self.salience = np.where(rng.random(n) < 0.1, np.nan, rng.integers(1, 9, n))
        self.level_db = np.round(rng.normal(-30, 8, n), 1)
        # A year of recordings, at any time of the day.
        taken = 1_700_000_000 + rng.random(n) * 365 * 86_400
        self.taken = np.where(rng.random(n) < 0.05, np.nan, np.floor(taken))
        self.street = rng.integers(0, len(STREETS), n)
        self.outdoors = rng.integers(0, 2, n)
        self.clips = [f"clip {i:05d} {'siren' if i % 3 else 'dog bark'} <i>.wav" for i in range(n)]
        self.xy, self.n_placed = rng.random((n, 2)), n
        self.map = {"locality": 0, "kind": "pca", "progress": 1, "state": ""}
        self.queue, self.tabs, self.undoable, self.asked = [], [], {}, []
        self.bulks, self.most_in_bulk = {}, n
        self.is_blind, self.is_down, self.refused, self.said = False, False, {}, []
        self.n_refused_sounds = 0
        self.pieces, self.goes_on = (
            [],
            threading.Event(),
        )  # tasks labeled at once; clear it to pause
        self.goes_on.set()
        self.why_no_words = ""
        self.odd = {}  # clips with annotations and without a label: task id → state
        self.unseen = set()  # labeled clips that the frame does not tell of yet

    def column(self, name):
        """One column as ``packed`` takes it, or None."""
        scaled, numbers, n_recordings = {"scale": 1 / 65534}, np.arange(self.n), self.n // 7 + 1
        if name.startswith("probability:"):
            values = self.probabilities[:, self.class_names.index(name.split(":", 1)[1])]
            return name, "number", "f4", values, {}
        found = {
            "task_id": ("number", "i4", self.ids, {}),
            "x": ("number", "u2", self._placed(0), scaled),
            "y": ("number", "u2", self._placed(1), scaled),
            "label": ("category", "u1", *self._labels()),
            "state": ("category", "u1", self._states(), {"names": list(STATES.values())}),
            "skipped": ("boolean", "u1", np.isin(self.ids, list(self.skipped)), {}),
            "predicted": (
                "category",
                "u1",
                self.probabilities.argmax(1),
                {"names": self.class_names},
            ),
            "entropy": ("number", "u2", np.round(self.entropy * 65534), scaled),
            "coverage": ("number", "u2", self.xy[:, 0] * 32767, {"scale": 2 / 65534}),
            "rank": ("number", "u4", np.argsort(np.argsort(-self.entropy)) + 1, {}),
            "recording": (
                *("category", "u2", numbers // 7),
                {"names": [f"recording {i}" for i in range(n_recordings)]},
            ),
            "clip": ("text", "u4", numbers, {"names": self.clips}),
            "meta:salience": ("number", "f4", self.salience, {}),
            "meta:level_db": ("number", "f4", self.level_db, {}),
            "meta:taken": ("date", "f8", self.taken, {}),
            "meta:street": ("category", "u1", self.street, {"names": STREETS}),
            "meta:outdoors": ("boolean", "u1", self.outdoors, {}),
        }.get(name)
        return found and (name, *found)

    def _placed(self, axis):
        return np.where(np.arange(self.n) < self.n_placed, self.xy[:, axis] * 65534, 65535)

    def _labels(self):
        seen = {
            task_id: labels for task_id, labels in self.labels.items() if task_id not in self.unseen
        }
        said = [", ".join(seen.get(int(task_id)) or []) for task_id in self.ids]
        names = list(dict.fromkeys([*self.class_names, *filter(None, said)]))
        members = [name.split(", ") for name in names]
        told = {"names": names, "members": members}
        return [names.index(name) if name else MISSING for name in said], told

    def _states(self):
        states = list(STATES)
        codes = np.where(np.isin(self.ids, list(self.labels)), 0, states.index("pool"))
        codes = np.where(np.isin(self.ids, list(self.skipped)), states.index("skipped"), codes)
        odd = [self.odd.get(int(i)) for i in self.ids]
        return [states.index(one) if one else code for one, code in zip(odd, codes, strict=True)]

    def state(self, row):
        return list(STATES)[int(self._states()[row])]

    def frame(self):
        shown = ["task_id", "x", "y", *GROUPS, "recording"]
        available = [
            {
                "name": name,
                "title": name.removeprefix("meta:"),
                "kind": self.column(name)[1],
                "group": GROUPS.get(name, "metadata"),
            }
            for name in [*GROUPS, *METADATA]
        ]
        return packed(
            self.n,
            [self.column(name) for name in shown],
            revision=str(self.revision),
            model_version="v1",
            class_names=self.class_names,
            hotkeys=self.hotkeys,
            multi_label=self.multi_label,
            title="Street <sounds>",
            label_studio_url="http://127.0.0.1:9",
            map=self.map,
            why_no_words=self.why_no_words,
            available=available,
        )

    def clip(self, task_id):
        row = int(np.flatnonzero(self.ids == task_id)[0])
        labels = self.labels.get(task_id, [])
        probabilities = self.probabilities[row].tolist()
        annotation = {"by": "a@b.co", "kind": "labels", "labels": labels, "problems": []}
        annotation["is_mine"] = True
        return {
            "task_id": task_id,
            "clip": self.clips[row],
            "recording": f"recording {row // 7}",
            "duration_s": DURATION_S,
            "metadata": [
                {"name": "street", "value": STREETS[self.street[row]]},
                {"name": "<u>note</u>", "value": "<img src=x onerror=alert(1)>"},
            ],
            "labels": labels,
            "state": self.state(row),
            "annotations": [annotation] if labels else [],
            "probabilities": dict(zip(self.class_names, probabilities, strict=True)),
            "predicted": [self.class_names[int(np.argmax(probabilities))]],
            "entropy": float(self.entropy[row]),
            "disagreement": None,
            "coverage": 0.4,
            "rank": 3,
            "why": "unsure, and far from what is labeled",
            "label_studio_url": f"http://127.0.0.1:9/projects/1/data?task={task_id}",
        }

    def annotate(self, task_ids, labels):
        before = {i: (self.labels.get(i), i in self.skipped) for i in task_ids}
        token = f"undo-{len(self.undoable)}"
        self.undoable[token] = before
        self.said += [(task_id, labels) for task_id in task_ids]
        for task_id in task_ids:
            self.labels[task_id] = labels or []
            (self.skipped.add if labels is None else self.skipped.discard)(task_id)
        self.revision += 1
        return token

    def write(self, task_ids, asked):
        """Answer some clips as ``asked`` says; tell what became of it."""
        self.pieces.append(task_ids)
        answered = []
        if asked.get("only_unanswered"):
            answered = [
                i for i in task_ids if i in {**self.labels, **self.odd} or i in self.skipped
            ]
            task_ids = [i for i in task_ids if i not in answered]
        refused = [
            {"task_id": i, "reason": self.refused[i], "may_work_again": False}
            for i in task_ids
            if i in self.refused
        ]
        task_ids = [i for i in task_ids if i not in self.refused]
        token = self.annotate(task_ids, asked["labels"]) if task_ids else None
        return {"undo": token, "n": len(task_ids), "answered": answered, "refused": refused}

    def begin(self, asked):
        """Begin a bulk, which goes on a piece at a time, each time somebody looks."""
        is_undo = "undo" in asked
        n_all = len(self.undoable[asked["undo"]] if is_undo else asked["task_ids"])
        facts = {"bulk": f"bulk-{len(self.bulks)}", "is_undo": is_undo, "n_all": n_all}
        facts |= {"labels": asked.get("labels"), "n_done": 0, "n": 0, "undo": None, "error": None}
        facts |= {"is_over": False, "answered": [], "refused": [], "asked": asked}
        self.bulks[facts["bulk"]] = facts
        return self.told(facts)

    def go_on(self, word):
        facts = self.bulks[word]
        asked, start = facts["asked"], facts["n_done"]
        if facts["is_over"] or not self.goes_on.is_set() or start >= self.most_in_bulk:
            return self.told(facts)
        if facts["is_undo"]:
            for other in self.bulks.values():
                other["undo"] = None if other["undo"] == asked["undo"] else other["undo"]
            facts["n"] = self.undo(asked["undo"])
            facts["n_done"] = facts["n_all"]
        else:
            done = self.write(asked["task_ids"][start : start + BULK_PIECE], asked)
            facts["n_done"] = min(start + BULK_PIECE, facts["n_all"])
            facts["n"] += done["n"]
            facts["answered"] += done["answered"]
            facts["refused"] += done["refused"]
            if done["undo"] is not None:
                facts["undo"] = facts["undo"] or f"undo of {word}"
                whole = self.undoable.setdefault(facts["undo"], {})
                whole |= self.undoable.pop(done["undo"])
        facts["is_over"] = facts["n_done"] == facts["n_all"]
        return self.told(facts)

    @staticmethod
    def told(facts):
        late = () if facts["is_over"] else ("answered", "refused")
        return {name: value for name, value in facts.items() if name not in ("asked", *late)}

    def ahead(self):
        """Those without an answer, in the order of their ranks."""
        order = self.ids[np.argsort(-self.entropy)].tolist()
        return [one for one in order if one not in self.labels and one not in self.skipped]

    def undo(self, token):
        undone = self.undoable.pop(token)
        for task_id, (labels, is_skipped) in undone.items():
            self.labels.pop(task_id)
            if labels is not None:
                self.labels[task_id] = labels
            (self.skipped.add if is_skipped else self.skipped.discard)(task_id)
        self.revision += 1
        return len(undone)


def create_small_app(pool):
    """Serve a pool as project 1, and an empty page of the same rules at ``/blank``."""
    app = Flask("ml_backend.web", static_folder=None)
    settings = Settings(label_studio_url="http://127.0.0.1:9", api_key="none", data_dir=Path())
    app.extensions["earmark"] = SimpleNamespace(store=_Titles(), settings=settings)
    app.register_blueprint(static_files.blueprint)
    headers.register(app)
    app.jinja_env.globals["csrf_token"] = CSRF_TOKEN
    sound = io.BytesIO()
    samples = tone(DURATION_S, sample_rate_hz=SAMPLE_RATE_HZ)
    soundfile.write(sound, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    picture = render_spectrogram(samples[:, 0], SAMPLE_RATE_HZ)

    @app.before_request
    def check():
        query = unquote(request.query_string.decode())
        pool.asked.append(f"{request.method} {request.path}" + (f"?{query}" if query else ""))
        if request.method != "GET" and request.headers.get("X-Earmark-CSRF") != CSRF_TOKEN:
            return jsonify(error="The page's token is missing."), 403
        return None

    def binary(content):
        return app.response_class(content, mimetype="application/octet-stream")

    @app.get("/blank")
    def blank():
        return render_template_string(
            "<!doctype html><html lang=en data-constants='{{ constants|tojson }}'>"
            "<title>Blank</title><div id=place></div>"
        )

    @app.get("/projects/1/frame")
    def frame():
        return binary(pool.frame())

    @app.get("/projects/1/column")
    def column():
        found = pool.column(request.args["name"])
        if found is None:
            return jsonify(error=f"There is no column {request.args['name']!r}."), 404
        return binary(packed(pool.n, [found], revision=str(pool.revision)))

    @app.get("/projects/1/revision")
    def revision():
        return jsonify(
            revision=str(pool.revision),
            model_version="v1",
            map=pool.map,
            n_labeled=len(pool.labels),
            requested_first=None,
        )

    @app.get("/projects/1/clips/<int:task_id>")
    def clip(task_id):
        return jsonify(pool.clip(task_id))

    @app.get("/projects/1/clips/<int:task_id>/audio")
    def audio(task_id):
        if pool.n_refused_sounds > 0:
            pool.n_refused_sounds -= 1
            return jsonify(error="Many people are here now."), 503, {"Retry-After": "1"}
        return send_file(io.BytesIO(sound.getvalue()), "audio/wav", conditional=True, etag=False)

    @app.get("/projects/1/clips/<int:task_id>/spectrogram")
    @app.get("/projects/1/clips/<int:task_id>/thumbnail")
    def spectrogram(task_id):
        return app.response_class(picture, mimetype="image/png")

    @app.get("/projects/1/clips/<int:task_id>/neighbors")
    def neighbors(task_id):
        near = [int(i) for i in pool.ids if i != task_id][: int(request.args["n"])]
        return jsonify(
            [
                {
                    "task_id": i,
                    "distance": 0.01 * k,
                    "is_labeled": i in pool.labels,
                    "labels": pool.labels.get(i, []),
                }
                for k, i in enumerate(near)
            ]
        )

    @app.post("/projects/1/label/next")
    def label_next():
        asked = request.get_json()
        kept = asked["ahead"][:1]
        order = [one for one in pool.ahead() if one not in [*asked["mine"], *kept]]
        return jsonify(
            model_version=f"v{pool.revision}",
            class_names=pool.class_names,
            hotkeys=pool.hotkeys,
            multi_label=pool.multi_label,
            is_blind=pool.is_blind,
            clips=[*kept, *order][:8],
            n_left=len(order) + len(kept),
            n_held=0,
            ties=[],
        )

    @app.delete("/projects/1/label/next/<tab>")
    def label_left(tab):
        return "", 204

    @app.post("/projects/1/annotations")
    def annotate():
        if pool.is_down:
            return jsonify(error="Label Studio does not answer."), 502
        asked = request.get_json()
        pool.goes_on.wait(10)
        return jsonify(pool.write(asked["task_ids"], asked))

    @app.post("/projects/1/bulk")
    def begin():
        return jsonify(pool.begin(request.get_json()))

    @app.get("/projects/1/bulk")
    def begun():
        return jsonify([pool.told(one) for one in pool.bulks.values()])

    @app.get("/projects/1/bulk/<word>")
    def look(word):
        if word not in pool.bulks:
            return jsonify(error="The backend does not know of it; it was restarted."), 404
        return jsonify(pool.go_on(word))

    @app.delete("/projects/1/bulk/<word>")
    def stop(word):
        pool.bulks[word]["is_over"] = True
        return jsonify(pool.told(pool.bulks[word]))

    @app.delete("/projects/1/annotations/<token>")
    def undo(token):
        return jsonify(n=pool.undo(token), refused=[])

    @app.post("/projects/1/queue")
    def queue():
        pool.queue = request.get_json()["task_ids"]
        n_left = sum(task_id not in pool.labels for task_id in pool.queue)
        n_labeled = len(pool.queue) - n_left
        states = dict.fromkeys(STATES, 0) | {"labeled": n_labeled, "pool": n_left}
        told = {"n": len(pool.queue), "n_left": n_left, "n_labeled": n_labeled, "states": states}
        told |= {"requested_by": "a@b.co", "requested_at": 1_700_000_000.0, "error": None}
        told |= {"asked_by": "a@b.co", "asked_at": 1_700_000_000.0}  # as earlier versions said
        return jsonify(task_ids=pool.queue, where=None, **told)

    @app.post("/projects/1/tab")
    def tab():
        pool.tabs.append(request.get_json())
        return jsonify(address="http://127.0.0.1:9/projects/1/data?tab=5")

    return app


class _Titles:
    """Stands where the store would: it knows the title of the one project."""

    @property
    def agenda(self):
        return self

    def description(self, project_id):
        return {"title": "Street <sounds>"}
