"""Snapshots: projects, pictures and the embedder, held in memory to answer requests at once.

Imports the store and below; never Flask.
"""
