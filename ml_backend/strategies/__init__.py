"""Query strategies: from probabilities and embeddings to a ranking, one idea a module.

``registry`` knows them by name, ``greedy`` picks a head clip by clip. Imports ``similarity`` and
``errors``; never a classifier, the store or a clock.
"""
