"""Models by name: `init_chat_model` and `create_agent` with a third party's provider.

python check.py entry           "mimo:…"; needs langchain-mimo
python check.py entry_points    "acme:…", of a package that is made in a temporary folder
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

ACME = """
from langchain_core.language_models.fake_chat_models import ParrotFakeChatModel


class ChatAcme(ParrotFakeChatModel):
    model: str
"""
ENTRY_POINTS = """[langchain.chat_models]
acme = langchain_acme:ChatAcme
openai = langchain_acme:ChatAcme
gone = langchain_gone:ChatGone
"""


def install_acme(folder: Path) -> None:
    """Lay a package into a folder as an installer does, and import from there."""
    metadata = folder / "langchain_acme-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: langchain-acme\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "langchain_acme.py").write_text(ACME)
    sys.path.insert(0, str(folder))


def entry() -> list[str]:
    from langchain.chat_models import init_chat_model

    os.environ["MIMO_API_KEY"] = "sk-of-nobody"
    wrong = []
    for name, more in (
        ("mimo:mimo-v2.6-pro", {}),
        ("mimo-v2.6-pro", {"model_provider": "mimo"}),
        ("mimo-v2.6-pro", {}),  # the provider is inferred
    ):
        try:
            model = init_chat_model(name, temperature=0.5, **more)
        except ValueError as error:
            wrong.append(f"{name}, {more}: {str(error).splitlines()[0]}")
        else:
            if (type(model).__name__, model.model) != ("ChatMiMo", "mimo-v2.6-pro"):
                wrong.append(f"{name}, {more}: {model!r}")
    return wrong


def entry_points() -> list[str]:
    from langchain.chat_models import base, init_chat_model

    wrong = []
    if "langchain_acme" in sys.modules:
        wrong.append("it is imported before it is asked for")
    for name, more in (("acme:large", {}), ("large", {"model_provider": "acme"})):
        try:
            model = init_chat_model(name, **more)
        except ValueError as error:
            wrong.append(f"{name}, {more}: {str(error).splitlines()[0]}")
        else:
            if (type(model).__name__, model.model) != ("ChatAcme", "large"):
                wrong.append(f"{name}, {more}: {model!r}")
    try:
        init_chat_model("large", model_provider="unheard_of")
    except ValueError as error:
        if "acme" not in str(error):
            wrong.append("an unknown provider's error does not list acme")
    try:
        init_chat_model("gone:large")
    except ValueError as error:
        wrong.append(f"a package that is not there: {str(error).splitlines()[0]}")
    except ImportError:
        pass
    if base._get_chat_model_creator.__wrapped__("openai").keywords["cls"].__name__ != "ChatOpenAI":
        wrong.append("a built-in provider was replaced")
    if not wrong:
        from langchain.agents import create_agent

        create_agent("acme:large")
    return wrong


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        install_acme(Path(folder))
        found = {"entry": entry, "entry_points": entry_points}[sys.argv[1]]()
    print("; ".join(found) or "as it should be")
    raise SystemExit(1 if found else 0)
