"""Evaluation: cross-validation, metrics, intervals, label errors, stopping, and simulated runs.

It imports ``learning``, ``strategies``, ``clip``, ``errors`` and the label config of
``label_studio``; a ``Store`` is passed to it. It never imports the loop or the web.
"""
