"""Recorded HTTP for MiMo: cassettes that hold no key, say whose answers they are, and stream."""
