"""From lines to requests: what `llm -m` would send for each, by llm's own rules for templates."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from string import Template as Text
from typing import Any, cast

import llm
from llm.templates import Template

from llm_mimo.batch_lines import PromptLine
from llm_mimo.chat_models import ChatModel
from llm_mimo.errors import InputError, sentence, shown
from llm_mimo.notes import note
from mimo_core.types import ChatRequest

_NOT_IN_BATCHES = (
    *("attachments", "attachment_types", "fragments", "system_fragments"),
    *("tools", "functions", "extract", "extract_last"),
)


@dataclass
class Settings:
    """What all prompts of a job have in common.

    Attributes:
        model: that answers.
        system: the system prompt of `-s`; a template's own holds where there is none.
        templates: of `-t`, in their order.
        params: of `-p`; a line's own variables win.
        schema: of the answers.
        options: of `-o`, of the templates and the saved defaults, checked.
    """

    model: ChatModel
    system: str | None = None
    templates: Sequence[Template] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    schema: dict[str, Any] | None = None
    options: llm.Options | None = None

    def meta(self) -> dict[str, Any]:
        """What a job has to remember, to read its answers with another process."""
        given = self.options.model_dump(mode="json", exclude_none=True) if self.options else {}
        shared = {"model": self.model.model_id, "schema": self.schema, "options": given}
        return {"host": "llm", **shared}


def settings_of(
    model_id: str | None,
    system: str | None,
    template_names: Sequence[str],
    params: Iterable[tuple[str, str]],
    schema: dict[str, Any] | None,
    options: Iterable[tuple[str, Any]],
) -> Settings:
    """Put together what the options of a command and the templates say, as `llm prompt` does.

    Args:
        model_id: of `-m`; else the first template's, else llm's default model.
        system: of `-s`.
        template_names: of `-t`.
        params: of `-p`.
        schema: of `--schema`; a template's wins, as in llm.
        options: of `-o`; a template's hold where there is none, then the saved defaults.

    Raises:
        ModelError: one of them cannot be used.
    """
    templates = [_template(name) for name in template_names]
    given = dict(options)
    for template in templates:
        schema = template.schema_object or schema
        given = {**(template.options or {}), **given}
        model_id = model_id or template.model
    model = chat_model(model_id) if model_id else _default_model()
    return Settings(model, system, templates, dict(params), schema, _options(model, given))


def _default_model() -> ChatModel:
    model_id = llm.get_default_model()
    try:
        return chat_model(model_id)
    except InputError as error:
        raise InputError(
            f"{model_id}, llm's default model, is no chat model of MiMo's. Add -m mimo-flash."
        ) from error


def chat_model(model_id: str) -> ChatModel:
    """One of this plugin's chat models. Raises `ModelError` where it is none."""
    from llm_mimo.clients import mimo_model

    model = mimo_model(model_id)
    if not isinstance(model, ChatModel):
        raise InputError(f"{model.model_id} is no chat model: batches have only those.")
    return model


def _template(name: str) -> Template:
    from llm.cli import LoadTemplateError, load_template

    try:
        template = load_template(name)
    except LoadTemplateError as error:
        raise InputError(f"{sentence(error)} `llm templates` lists them.") from error
    if unusable := [one for one in _NOT_IN_BATCHES if getattr(template, one, None)]:
        raise InputError(
            f"The template {name} has {', '.join(unusable)}, which batches do not take. Leave it "
            "out of the template."
        )
    return template


def _options(model: ChatModel, given: Mapping[str, Any]) -> llm.Options:
    from llm.cli import get_model_options, render_errors
    from pydantic import ValidationError

    try:
        options = model.Options(**{**get_model_options(model.model_id), **given})
    except ValidationError as error:
        raise InputError(f"-o {sentence(render_errors(error.errors()))}") from error
    for name in ("timeout", "deadline"):
        if getattr(options, name, None) is not None:
            note(f"{name} has no effect on batches: each takes up to 24 hours.")
    return options


def schema_of(given: str | None, multi: str | None) -> dict[str, Any] | None:
    """The JSON schema of `--schema` or `--schema-multi`: llm's short form, JSON, a file, an id.

    Raises:
        ClickException: it is none.
    """
    from contextlib import closing

    import sqlite_utils
    from llm.cli import load_template, logs_db_path
    from llm.migrations import migrate
    from llm.utils import multi_schema, resolve_schema_input

    if not (given or multi):
        return None
    path = logs_db_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite_utils.Database(path)) as db:  # ids of earlier schemas are looked up there
        migrate(db)
        schema = resolve_schema_input(db, multi or given, load_template)
    if multi:
        schema = multi_schema(schema)
    return cast("dict[str, Any]", schema)


def requests_of(
    lines: Iterable[PromptLine], settings: Settings
) -> Iterator[tuple[ChatRequest, str]]:
    """Each line's request, with a note from which `prompt_of` makes its prompt again.

    Args:
        lines: of the user's file.
        settings: of all of them.

    Raises:
        ModelError: a line's prompt cannot be made or sent.
    """
    for line in lines:
        if line.prompt is None and not _fills_a_template(line, settings):
            raise InputError(_without_prompt(line, settings))
        prompt, system = map(_whole, _evaluated(line, settings))
        kept = {"prompt": prompt or ""} | ({"system": system} if system else {})
        note = json.dumps(kept, ensure_ascii=False)
        made = prompt_of(note, settings.model, settings.schema, settings.options)
        yield cast("ChatRequest", settings.model.attempts(made).request), note


def _fills_a_template(line: PromptLine, settings: Settings) -> bool:
    """Whether a template's prompt says anything of this line, which has no prompt of its own.

    A system prompt alone asks nothing, and a prompt without the line asks the same again and again.
    """
    filled = {name for name, value in line.variables.items() if value.strip()}
    return any(filled & _names_in(template) for template in settings.templates)


def _names_in(template: Template) -> set[str]:
    try:
        return set(Text(template.prompt or "").get_identifiers())
    except ValueError as error:
        raise _unusable(template, error) from error


def _unusable(template: Template, error: ValueError) -> InputError:
    return InputError(f"The template {template.name} cannot be used: {sentence(error)}")


def _without_prompt(line: PromptLine, settings: Settings) -> str:
    """Why a line cannot be sent, and what to do."""
    found = ", ".join(shown(name) for name in line.fields) or "none"
    if "prompt" in line.fields:
        why = "its prompt is empty. Give it one, or leave the line out"
    elif len(line.fields) == 1 and (mark := next((c for c in ";\t|" if c in line.fields[0]), None)):
        name = "tabs" if mark == "\t" else mark
        why = f"its columns are separated by {name}. Separate them by commas: {found}"
    elif also := next((one for one in line.fields if one.strip().lower() == "prompt"), None):
        why = f"the name {also!r} is not read. Write it as prompt"
    elif {"custom_id", "body"} <= set(line.fields):
        why = f"it is a request for an API ({found}). Give the texts of the prompts instead"
    else:
        why = (
            f"no field or column is named prompt; there are: {found}. Rename one of them, or use a "
            "template (-t) whose prompt has one of them, as $name"
        )
    with_template = ", and no template's prompt has anything of it" if settings.templates else ""
    return f"{line.where} has no prompt{with_template}: {why}."


def _whole(text: str | None) -> str | None:
    """Without halves of surrogate pairs, which JSON can hold: what is sent and logged is UTF-8."""
    return text and text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _evaluated(line: PromptLine, settings: Settings) -> tuple[str | None, str | None]:
    """The prompt and the system prompt of a line: llm 0.36's rules, `_apply_template` in its cli.

    A template with `$input` takes the line's prompt in; another one stands before it.
    """
    prompt, system = line.prompt, settings.system
    for template in settings.templates:
        takes_input = "input" in template.vars()
        if not prompt and takes_input and "input" in _names_in(template):
            raise InputError(
                f"{line.where} has no prompt, which the template {template.name} takes as $input. "
                "Give it a field named prompt, or take $input out of the template."
            )
        variables = {**settings.params, **line.variables}
        try:
            text, of_template = template.evaluate((prompt or "") if takes_input else "", variables)
        except Template.MissingVariables as error:
            raise InputError(
                f"{line.where}, template {template.name}: {sentence(error)}"
            ) from error
        except ValueError as error:  # a lone $ in it
            raise _unusable(template, error) from error
        system = system or of_template
        if text:
            prompt = f"{text}\n{prompt}" if prompt and not takes_input else text
    return prompt, system


def prompt_of(
    note: str, model: ChatModel, schema: dict[str, Any] | None, options: llm.Options | None
) -> llm.Prompt:
    """The prompt that a note of `requests_of` stands for.

    Args:
        note: of a request.
        model: that answers it.
        schema: of the answer.
        options: of the job.
    """
    kept = json.loads(note)
    conversation = model.conversation()
    response = conversation.prompt(
        kept["prompt"],
        system=kept.get("system"),
        schema=schema,
        options=options.model_dump(exclude_none=True) if options else None,
        stream=False,
    )
    return response.prompt
