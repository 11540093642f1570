"""Old names of `rejections`, for tests that have not been changed yet."""

from mimo_core.testing.emulator.rejections import chat_rejection as chat_refusal

__all__ = ["chat_refusal"]
