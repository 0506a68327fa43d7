"""The first tables: projects and their agenda, tasks, embeddings, labels, versions, rounds."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _key(name: str, kind: type[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind(), primary_key=True, autoincrement=False)


def _number(name: str, kind: type[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False, server_default="0")


def upgrade() -> None:
    op.create_table(
        "project",
        _key("project_id", sa.Integer),
        sa.Column("title", sa.Text(), nullable=False, server_default=""),
        sa.Column("class_names", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        _number("n_heard", sa.BigInteger),
        _number("n_heard_labels", sa.BigInteger),
        _number("n_heard_tasks", sa.BigInteger),
        _number("n_done", sa.BigInteger),
        _number("n_done_labels", sa.BigInteger),
        _number("n_done_tasks", sa.BigInteger),
        _number("heard_at", sa.Float),
        _number("waiting_since", sa.Float),
        _number("leased_until", sa.Float),
        _number("retry_at", sa.Float),
        _number("n_failures", sa.Integer),
    )
    op.create_table(
        "task",
        _key("project_id", sa.Integer),
        _key("task_id", sa.BigInteger),
        sa.Column("clip_key", sa.String(64), nullable=False),
        sa.Column("audio", sa.Text(), nullable=False),
        sa.Column("recording_id", sa.Text()),
    )
    op.create_index("ix_task_clip_key", "task", ["clip_key"])
    op.create_table(
        "embedding",
        sa.Column("embedder_id", sa.String(64), primary_key=True),
        sa.Column("clip_key", sa.String(64), primary_key=True),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "unheard",
        sa.Column("embedder_id", sa.String(64), primary_key=True),
        sa.Column("clip_key", sa.String(64), primary_key=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("tried_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "label",
        _key("project_id", sa.Integer),
        _key("task_id", sa.BigInteger),
        sa.Column("labels", sa.JSON()),
        sa.Column("is_skipped", sa.Boolean(), nullable=False),
        sa.Column("n_annotators", sa.Integer(), nullable=False),
    )
    op.create_table(
        "version",
        _key("project_id", sa.Integer),
        sa.Column("model_version", sa.String(64), primary_key=True),
        sa.Column("embedder_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("classifier", sa.LargeBinary()),
        sa.Column("ranking", sa.LargeBinary()),
        _number("n_ranked", sa.Integer),
        _number("n_published", sa.Integer),
    )
    op.create_table(
        "round",
        _key("project_id", sa.Integer),
        _key("number", sa.Integer),
        sa.Column("model_version", sa.String(64), nullable=False),
        sa.Column("finished_at", sa.Float(), nullable=False),
        sa.Column("n_labeled", sa.Integer(), nullable=False),
        sa.Column("n_pool", sa.Integer(), nullable=False),
        sa.Column("timings_s", sa.JSON(), nullable=False),
    )
    op.create_table(
        "fact",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.JSON(), nullable=False),
    )
