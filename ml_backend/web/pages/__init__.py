"""Pages: what is drawn on the server, and the static files that browsers load.

Imports ``api`` and below; nothing but ``app`` imports it.
"""
