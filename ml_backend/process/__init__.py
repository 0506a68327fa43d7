"""Processes: the memory that one holds, and children that end with their parent.

Imports nothing of Earmark, and never learns what the processes are for.
"""
