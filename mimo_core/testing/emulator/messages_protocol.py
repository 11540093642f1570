"""Old names of `messages_translation`, for tests that have not been changed yet."""

from mimo_core.testing.emulator.messages_translation import shape_rejection as shape_refusal
from mimo_core.testing.emulator.messages_translation import to_chat

__all__ = ["shape_refusal", "to_chat"]
