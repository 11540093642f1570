"""The old name of `persister`, until tests/test_voice_examples.py imports from there."""

from mimo_core.testing.cassettes.persister import read as read
