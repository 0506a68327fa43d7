"""Learning: from labels and embeddings to a calibrated classifier, its scores and the next ranking.

``training`` puts the steps together; each step is a module of pure functions of arrays. Imports
``strategies``, ``similarity``, ``embedders`` and the label config; never the store or the network.
"""
