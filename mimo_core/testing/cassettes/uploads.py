"""An upload as it stands in a cassette: its fields and its lines as JSON, without the boundary."""

from __future__ import annotations

from typing import Any

from mimo_core.testing.cassettes.edits import json_of
from mimo_core.testing.emulator.batch_files import Spool, read_form

FORM = "multipart/form-data"


def readable(body: bytes, content_type: str) -> dict[str, Any] | None:
    """The fields of a form, or None where the body is none.

    The file is a list where each of its lines is a JSON object, else a text. Its name is left out:
    a job of batches makes up another one each time.

    Args:
        body: of the request.
        content_type: of the request.
    """
    if not content_type.lower().startswith(FORM):
        return None
    spool = Spool()
    spool.add(body)
    form = read_form(spool, content_type)
    if form is None:
        return None
    fields: dict[str, Any] = dict(form.fields)
    if form.content is not None:
        lines = [json_of(line) for line, _ in form.content.lines()]
        text = b"".join(form.content.pieces()).decode("utf-8", "replace")
        fields["file"] = lines if lines and all(isinstance(one, dict) for one in lines) else text
    return fields
