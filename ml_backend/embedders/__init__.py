"""Embedders: waveforms in, one embedding per clip out."""
