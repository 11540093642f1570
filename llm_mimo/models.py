"""What all MiMo models share, in llm's terms. What differs comes from `mimo_core.models`.

The six classes that `llm` sees are in `chat_models` (chat) and `speech_models` (speech and
transcription), each with its asynchronous twin.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import llm

from llm_mimo.attachments import attachment_types, check_attachments
from llm_mimo.errors import MissingKeyError
from mimo_core.models import ModelInfo

if TYPE_CHECKING:
    from llm.models import _BaseModel as LlmModel
else:  # The sync and async classes add llm's own base; its common parent has no public name.
    LlmModel = object


class MiMoModel(LlmModel):
    """A model of Xiaomi MiMo's.

    Attributes:
        info: what the model takes and can do.
    """

    needs_key = "mimo"
    key_env_var = "MIMO_API_KEY"

    def __init__(self, info: ModelInfo) -> None:
        """
        Args:
            info: an entry of the table of models.
        """
        self.info = info
        self.model_id = info.id
        self.attachment_types = attachment_types(info)

    @property
    def Options(self) -> type[llm.Options]:  # type: ignore[override]  # llm: a class attribute
        """The class of the options that this model takes.

        It is imported on first access: most starts of `llm` register the models and use no options.
        """
        from llm_mimo.options import options_class

        return options_class(self.info)

    def get_key(self, explicit_key: str | None = None) -> str | None:
        """Look the API key up, as llm does.

        Args:
            explicit_key: a key, or the name of a saved one.

        Returns:
            The key. None if none was found and `MIMO_BASE_URL` names a server other than the known
            gateways: it may not ask for a key.

        Raises:
            llm.NeedsKeyException: no key was found, and the service needs one.
        """
        try:
            return super().get_key(explicit_key)
        except llm.NeedsKeyException as error:
            from llm_mimo.clients import key_is_optional

            if key_is_optional():
                return None
            raise MissingKeyError(
                f"{error}. Keys are made at https://platform.xiaomimimo.com"
            ) from None

    def _validate_attachments(self, attachments: Iterable[llm.Attachment] | None = None) -> None:
        """Replace llm's check: name kinds, not 25 MIME types, in an error that `llm chat` shows."""
        check_attachments(attachments or (), self.info, self.attachment_types)

    def __str__(self) -> str:
        return f"Xiaomi MiMo: {self.model_id}"
