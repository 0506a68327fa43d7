"""Commands: what the command line takes and says, one module a subject."""
