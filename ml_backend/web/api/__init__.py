"""The API: one module a subject, each with its routes and their answers as JSON or packed columns.

Imports ``access``, ``http`` and ``snapshot``; never ``pages``.
"""
