"""What Label Studio shows the backend, so that both know whom they speak with."""

USER = "earmark"
"""The user name of the Basic credentials that Label Studio calls with."""
SECRET_HEADER = "X-Earmark-Secret"  # noqa: S105 the header's name, not the secret
PROJECT_HEADER = "X-Earmark-Project"
"""Names the project of an event that is sent without its payload."""
