"""Earmark's command line: sets projects up, brings clips into Label Studio, runs the demo."""
