"""Learning: from labels and embeddings to a calibrated classifier, its scores and the next ranking.

``training`` combines the steps; each step is a module of pure functions of arrays. It imports
``strategies``, ``similarity``, ``embedders``, ``settings``, ``clip``, ``errors`` and the label
config of ``label_studio``. It never imports the store or opens a connection.
"""
