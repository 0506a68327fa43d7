"""Earmark's backend: embeds clips, learns from labels, and ranks the pool by informativeness."""
