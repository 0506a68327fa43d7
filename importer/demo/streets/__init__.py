"""Synthesise a small street-sound set: what there is to label when nobody brought clips.

Its journey: `machines` and `voices` make a source from what makes it sound as it does, `acoustics`
takes it down the street, `scene` adds traffic, weather and a microphone, and `street_set` decides
what is recorded when and writes clips and metadata. `synthesis` holds what all of them draw with.
"""

from importer.demo.streets.street_set import make_street_set

__all__ = ["make_street_set"]
