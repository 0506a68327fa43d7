"""The store's current tables; ``ml_backend/store/migrations`` contains their migrations.

Times are seconds since 1970 (UTC). Arrays are rows of little-endian float32, or ``npz`` files.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

project = Table(
    "project",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False, default=""),
    Column("class_names", JSON, nullable=False, default=list),
    Column("multi_label", Boolean, nullable=False, default=False),
    Column("hotkeys", JSON, nullable=False, default=list),
    Column("error", Text, nullable=False, default=""),
    # The agenda: counts of events, and of those that a round has processed.
    Column("n_events", BigInteger, nullable=False, default=0),
    Column("n_label_events", BigInteger, nullable=False, default=0),
    Column("n_task_events", BigInteger, nullable=False, default=0),
    Column("n_done", BigInteger, nullable=False, default=0),
    Column("n_done_labels", BigInteger, nullable=False, default=0),
    Column("n_done_tasks", BigInteger, nullable=False, default=0),
    Column("last_event_at", Float, nullable=False, default=0.0),
    Column("waiting_since", Float, nullable=False, default=0.0),
    Column("leased_until", Float, nullable=False, default=0.0),
    Column("retry_at", Float, nullable=False, default=0.0),
    Column("n_failures", Integer, nullable=False, default=0),
)

task = Table(
    "task",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("clip_key", String(64), nullable=False),
    Column("audio", Text, nullable=False),
    Column("recording_id", Text),
    Column("data", JSON(none_as_null=True)),
    Index("ix_task_project_clip_key", "project_id", "clip_key"),
)

embedding = Table(
    "embedding",
    metadata,
    Column("embedder_id", String(64), primary_key=True),
    Column("clip_key", String(64), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

failure = Table(
    "failure",
    metadata,
    Column("embedder_id", String(64), primary_key=True),
    Column("clip_key", String(64), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("tried_at", Float, nullable=False),
)

label = Table(
    "label",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("task_id", BigInteger, primary_key=True, autoincrement=False),
    Column("labels", JSON),
    Column("state", String(16), nullable=False),
    Column("n_annotators", Integer, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("model_version", String(64), primary_key=True),
    Column("embedder_id", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("classifier", LargeBinary),
    Column("ranking", LargeBinary),
    Column("n_ranked", Integer, nullable=False, default=0),
    Column("n_published", Integer, nullable=False, default=0),
    # Answered clips, which are not in the ranking; published after it.
    Column("n_answered", Integer, nullable=False, default=0),
    Column("n_answered_published", Integer, nullable=False, default=0),
)

round_ = Table(
    "round",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("model_version", String(64), nullable=False),
    Column("finished_at", Float, nullable=False),
    Column("n_labeled", Integer, nullable=False),
    Column("n_pool", Integer, nullable=False),
    Column("timings_s", JSON, nullable=False),
    Column("figures", JSON(none_as_null=True)),
)

# The labels of the last measurement, and since which round each is unchanged.
measured = Table(
    "measured",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

wanted = Table(
    "wanted",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("where", Text),
    Column("task_ids", JSON(none_as_null=True)),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", Float, nullable=False),
)

# The predictions that were last written into Label Studio's columns.
task_columns = Table(
    "task_columns",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

fact = Table(
    "fact",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)

# A visitor's session, or a ticket for one, encrypted with a key from the cookie or the ticket.
session = Table(
    "session",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# Data of pages about all clips, precomputed by the worker so that no request waits for it.
sheet = Table(
    "sheet",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

clip_scores = Table(
    "clip_scores",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("stamp", String(64), nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

map_ = Table(
    "map",
    metadata,
    Column("project_id", Integer, primary_key=True, autoincrement=False),
    Column("embedder_id", String(64), primary_key=True),
    Column("locality", Integer, primary_key=True, autoincrement=False),
    Column("stamp", String(64), nullable=False, default=""),
    Column("n_fitted", Integer, nullable=False, default=0),
    Column("content", LargeBinary),
    Column("is_wanted", Boolean, nullable=False, default=False),
    Column("progress", Float, nullable=False, default=0.0),
    Column("state", Text, nullable=False, default=""),
)
