"""Access: who may call, how visitors sign in and out, and which files they are given.

Imports ``http`` and below; never a page or a route.
"""
