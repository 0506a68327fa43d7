"""HTTP: bodies read, kinds of answers negotiated, headers set.

Imports ``errors`` only; never learns what is asked for.
"""
