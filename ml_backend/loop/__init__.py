"""The loop: what the worker does for each project, and the one place where everything meets.

``worker`` takes projects, ``reconcile`` does a round (``project_state``, training, ``publish``),
``background`` does what can wait. Imports everything below it; never ``web``.
"""
