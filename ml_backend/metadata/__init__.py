"""Metadata: what a project says of its clips, as columns, and conditions on them.

``columns`` types the values, ``table`` lines them up with tasks, ``where`` is the language of
``earmark queue --where``. Imports ``clip`` and ``errors``; never the store or Label Studio.
"""
