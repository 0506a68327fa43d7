"""Labeling: a visitor's labels written to Label Studio and taken back, clips leased to pages.

Imports ``access`` and below; never Flask.
"""
