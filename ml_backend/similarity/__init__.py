"""Similarity: distances, neighbors, coverage and the map, as pure functions of embeddings.

``fit_process`` runs a fit of the map in a process of its own. Imports ``errors`` and ``process``;
never the store, Label Studio or a classifier.
"""
