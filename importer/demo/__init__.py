"""The demo: a Label Studio of one's own, a synthesized street, and everything started at once."""
