"""Audio: a file or its bytes become samples, and samples become spectrograms.

``reading`` decodes, ``spectrogram`` draws what annotators see, ``thumbnail`` draws small pictures.
Imports ``errors`` only; never anything that knows projects, Label Studio or the store.
"""
