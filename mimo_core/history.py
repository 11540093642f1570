"""What a host may ask about a history before the core adapts it."""

from mimo_core._request.arguments import arguments_text as arguments_text
from mimo_core._request.parts import check_attachment as check_attachment
