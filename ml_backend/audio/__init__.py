"""Audio: a file or its bytes become samples, and samples become spectrograms.

``reading`` reads a recording or a piece of it, ``decoders`` are the two libraries behind it,
``spectrogram`` draws what annotators see, ``thumbnail`` draws small pictures. Imports ``errors``
only; never anything that knows projects, Label Studio or the store.
"""
