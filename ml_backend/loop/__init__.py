"""The loop: the worker's rounds and chores for each project.

``scheduler`` takes projects, ``reconcile`` does a round (``project_state``, training, ``publish``),
``background`` does deferred work. It imports every package of ``ml_backend`` but ``web``, and never
``web`` or the importer.
"""
