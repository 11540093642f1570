"""A chat model that was written down by `dumpd` is made again by `load`.

python check.py explicit    a class that the caller passes is enough
python check.py entry       ChatMiMo is one of the classes of `allowed_objects="all"`; needs it
python check.py standard    langchain-tests' own test_serdes passes for a third party's class
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from langchain_core.load import dumpd, load

ACME = """
from langchain_core.language_models.fake_chat_models import ParrotFakeChatModel
from pydantic import SecretStr

VARIABLE = "ACME_API_KEY"


class ChatAcme(ParrotFakeChatModel):
    model: str = "large"
    api_key: SecretStr | None = None

    @property
    def lc_secrets(self) -> dict[str, str]:
        return {"api_key": VARIABLE}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        return True


class ChatOther(ChatAcme):
    pass
"""


def install_acme(folder: Path) -> None:
    package = folder / "langchain_acme"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "chat_models.py").write_text(ACME)
    sys.path.insert(0, str(folder))


def explicit() -> list[str]:
    from langchain_acme.chat_models import ChatAcme, ChatOther

    wrong = []
    secrets = {"ACME_API_KEY": "sk-of-nobody"}
    dumped = dumpd(ChatAcme(model="small", api_key="sk-of-nobody"))
    try:
        model = load(dumped, allowed_objects=[ChatAcme], secrets_map=secrets)
        if (type(model), model.model) != (ChatAcme, "small"):
            wrong.append(f"it became {model!r}")
    except ValueError as error:
        wrong.append(str(error).partition("{")[0])
    for what, data, allowed in (
        ("a class of the same package", dumpd(ChatOther()), [ChatAcme]),
        ("a class by default", dumped, "all"),
    ):
        try:
            load(data, allowed_objects=allowed)
            wrong.append(f"{what} was loaded, and nobody had allowed it")
        except ValueError:
            pass
    return wrong


def entry() -> list[str]:
    from langchain_mimo import ChatMiMo

    dumped = dumpd(ChatMiMo(model="mimo-v2.6-pro", api_key="sk-of-nobody"))
    try:
        secrets = {"MIMO_API_KEY": "sk-of-nobody"}
        model = load(dumped, allowed_objects="all", secrets_map=secrets)
    except ValueError as error:
        return [str(error).partition(". ")[0]]
    same = type(model) is ChatMiMo and dumpd(model) == dumped
    try:
        load(dumped, allowed_objects="core")
    except ValueError:
        return [] if same else [f"it became {model!r}"]
    return ["the core's own classes contain it"]


def namespaces() -> list[str]:
    wrong = []
    for name in ("ChatBaseten", "ChatOpenRouter"):
        path = [f"langchain_{name.removeprefix('Chat').lower()}", "chat_models", name]
        data = {"lc": 1, "type": "constructor", "id": path, "kwargs": {}}
        try:
            load(data, allowed_objects="all")
        except ImportError:
            pass  # the package is not installed, but it would be loaded from there
        except ValueError as error:
            if "Invalid namespace" in str(error):  # and not a key that the class misses
                wrong.append(f"{name}: Invalid namespace")
    return wrong


def standard() -> list[str]:
    from langchain_acme.chat_models import ChatAcme
    from langchain_tests.unit_tests import ChatModelUnitTests

    class TestChatAcme(ChatModelUnitTests):
        chat_model_class = ChatAcme
        init_from_env_params = ({"ACME_API_KEY": "sk-of-nobody"}, {"model": "small"}, {})

    class Anything:
        """Stands for syrupy's snapshot, which is not what is looked at."""

        def __call__(self, **options: Any) -> Anything:
            return self

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    os.environ["ACME_API_KEY"] = "sk-of-nobody"
    try:
        TestChatAcme().test_serdes(ChatAcme(model="small", api_key="sk-of-nobody"), Anything())
    except ValueError as error:
        return [f"test_serdes: {str(error).partition('. ')[0]}"]
    return []


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # `load` is in beta
    with tempfile.TemporaryDirectory() as folder:
        install_acme(Path(folder))
        checks = {"explicit": explicit, "entry": entry, "namespaces": namespaces}
        found = (checks | {"standard": standard})[sys.argv[1]]()
    print("; ".join(found) or "as it should be")
    raise SystemExit(1 if found else 0)
