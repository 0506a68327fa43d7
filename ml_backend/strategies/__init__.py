"""Query strategies, one idea each; ``query_strategy.py`` knows them by name."""
