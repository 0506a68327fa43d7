"""Access: who may call, what visitors carry, and which files they are given.

Imports ``http`` and below; never a page or a route.
"""
