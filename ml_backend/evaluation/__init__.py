"""Evaluation: how good a classifier is, and what a choice of labels is worth.

Cross-validation, metrics, intervals, label errors, stopping, and simulated runs. Imports
``learning`` and below; never the loop or the web.
"""
