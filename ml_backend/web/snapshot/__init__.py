"""Snapshots: what projects look like now, held in memory so that requests are answered at once.

Imports the store and below; never Flask.
"""
