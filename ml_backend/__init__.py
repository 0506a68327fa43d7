"""Earmark's backend: hears clips, learns from labels, and puts the most instructive clip next."""
