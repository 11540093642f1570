"""Which module may import which: the rooms of ARCHITECTURE.md, read from the source with `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("mimo_core", "langchain_mimo", "llm_mimo", "scripts")
PRIVATE_ROOMS = {"_request", "_response", "_protocols", "_http", "_redact", "_spellings"}
SHARED = {
    "types",
    "errors",
    "values",
    "models",
    "gateways",
    "dialects",
    "media",
    "audio",
    "schemas",
    "threads",
} | {
    "limits",
    "_redact",
}

# For each room of mimo_core: the other rooms of mimo_core that it may import, at any depth. A
# module that is not listed is public and may import public modules and `_redact` alone.
MAY_IMPORT = {
    "_redact": {"_spellings"},
    "_spellings": set[str](),
    "_addresses": {"_redact"},
    "_keys": {"_redact"},
    "_hints": SHARED | {"_keys"},
    "_version": set[str](),
    "_request": SHARED | {"speech"},
    "_response": SHARED,
    "_protocols": SHARED | {"_response"},  # the wires read events into the chunks' types
    "_http": SHARED | {"_addresses", "_request", "_response", "_protocols", "_version"},
    "client": SHARED | {"_request", "_response", "_protocols", "_http", "_version"},
    "batches": SHARED
    | {"client", "_http", "_request", "_response", "credentials", "files", "job_files", "_keys"},
    "history": {"_request"},  # the public name of a private module
    "doctor": SHARED
    | {"client", "_http", "_response", "testing", "testing.emulator", "speech", "_version"},
    # The emulator must not agree with the client by sharing its code; it says where it listens.
    "testing.emulator": {"testing.fake_command", "models", "gateways", "dialects", "_redact"},
    # What stands in the way of requests: it has to know where they leave, and where files are kept.
    "testing.live": {"testing", "testing.emulator", "gateways", "_addresses", "_http"},
    "testing.cassettes": {
        *("testing", "testing.live", "testing.emulator", "gateways", "files", "_addresses"),
        *("_redact", "_http"),
    },
    "testing.fake_command": {
        *("testing", "testing.emulator", "testing.cassettes", "testing.live", "gateways"),
        *("files", "_addresses", "_redact", "_http"),
    },
    "testing": {
        *("testing.live", "testing.emulator", "testing.cassettes", "testing.fault_report"),
    },
    # It puts faults into the emulator's answers, and looks at what the client makes of them.
    "testing.fault_report": {"testing.emulator", "testing.live", "errors", "files", "_http"},
    # It shows what the client would read, so it reads with the client's own code.
    "testing.cassette_tool": {
        *(
            "testing",
            "testing.cassettes",
            "types",
            "errors",
            "models",
            "gateways",
            "files",
            "_redact",
            "_version",
        ),
        *("_protocols", "_response", "_http"),
    },
    "": {"client", "gateways", "errors", "models", "types", "_request", "_response"},
}


def modules() -> dict[str, Path]:
    """Every module of ours: its dotted name and its file."""
    found = {}
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        parts = file.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def nodes(tree: ast.AST, *, in_functions: bool) -> Iterator[ast.AST]:
    """The nodes that run; what stands under `if TYPE_CHECKING` never does."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not in_functions:
            continue
        yield child
        yield from nodes(child, in_functions=in_functions)


def imported(module: str, *, in_functions: bool) -> set[str]:
    """The modules of ours that `module` imports."""
    found: set[str] = set()
    file = MODULES[module]
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in nodes(ast.parse(file.read_text()), in_functions=in_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= (names & MODULES.keys()) or {base}
    return found & MODULES.keys()


def room(module: str) -> str:
    """`mimo_core._http.network.x` → `_http`; of `mimo_core` itself: the empty string.

    A part of a room that has a row of its own is a room.
    """
    _, here, part = [*module.split("."), "", ""][:3]
    return f"{here}.{part}" if f"{here}.{part}" in MAY_IMPORT else here


def within(package: str) -> list[str]:
    return [module for module in MODULES if module.split(".")[0] == package]


def test_no_module_imports_itself_by_a_detour() -> None:
    """Imports inside a function are not judged: they run when both modules are complete."""
    graph = {module: imported(module, in_functions=False) - {module} for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("host", ["langchain_mimo", "llm_mimo"])
def test_a_host_imports_public_modules_of_the_core_and_never_the_other_host(host: str) -> None:
    for module in within(host):
        for target in imported(module, in_functions=True):
            package = target.split(".")[0]
            assert package in (host, "mimo_core"), f"{module} imports {target}"
            if package == "mimo_core":
                assert room(target) not in PRIVATE_ROOMS, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(within("mimo_core")))
def test_a_room_of_the_core_imports_the_rooms_in_its_row(module: str) -> None:
    here = room(module)
    public = {room(name) for name in within("mimo_core")} - PRIVATE_ROOMS - {"testing", "client"}
    public -= {row for row in MAY_IMPORT if row.startswith("testing.")}
    allowed = MAY_IMPORT.get(here, public | {"_redact"}) | {here}
    for target in imported(module, in_functions=True):
        assert target.startswith("mimo_core"), f"{module} imports {target}: the core knows no host"
        assert room(target) in allowed, f"{module} imports {target}: see MAY_IMPORT"
