"""What the blocks of the pages print: put below them when the site is built, by running them.

A page says `<!-- output: NAME -->` below a block. `ANSWERS[NAME]` is what the emulator answers it.
"""

from __future__ import annotations

import re
import sys
from functools import cache

from mimo_core.testing import Reply
from scripts.site.running import reader

_MARK = re.compile(
    r"^```(python|bash|sh)\n((?:(?!```).*\n)*)```\n+<!-- output: (\S+) -->", re.MULTILINE
)
_ANY_MARK = re.compile(r"<!-- output: (\S+) -->")
SAID = "It prints this. The answer is an emulator's: no model has run."

_HELLO = Reply(
    "Hello! I am an emulator of MiMo.", reasoning="The user wants me to introduce myself, briefly."
)
_PARIS = Reply(reasoning="I need the weather.", tool_calls=[("get_weather", {"city": "Paris"})])
_DOG = {"name": "Biscuit", "age": 4, "breed": "Border Collie"}
_DOGS = {"items": [_DOG, {"name": "Ada", "age": 7, "breed": "Poodle"}]}

ANSWERS: dict[str, tuple[Reply, ...]] = {
    "chat": (_HELLO,),
    "agent": (_PARIS, Reply("Yes, take one: light rain.", reasoning="Rain, so an umbrella.")),
    "structured": (
        Reply(
            json={"topic": "Product iteration", "participants": ["Li Ming", "Wang Hua"]},
            reasoning="A topic and two names.",
        ),
    ),
    "usage": (_HELLO,),
    "usage-of-several": (Reply("Rain."), Reply("Sun.")),
    "core": (Reply("Hi there.", reasoning="A greeting."),),
    "schema": (Reply(json=_DOG),),
    "tools": (
        Reply(
            reasoning="I call the tool.",
            tool_calls=[("multiply", {"a": 1234, "b": 4346})],
        ),
        Reply("1234 * 4346 is 5,362,964.", reasoning="The tool gave the number."),
    ),
    "logs": (Reply("Bill, Scoop and Gulp.", reasoning="Three names."),),
    "pipe": (Reply("Milk, bread and two lemons are missing."),),
    "template": (Reply("Der Pelikan ist ein Wasservogel."),),
    "fragment": (Reply("It has three steps: build, test, release."),),
    "jq": (Reply(json=_DOGS),),
    "csv": (Reply(json=_DOGS),),
    "loop": (Reply("positive"), Reply("negative")),
    "logged": (Reply("Bill.", reasoning="Four letters."),),
}
"""What the emulator answers each block, in order."""


def with_outputs(page: str) -> str:
    """A page with what its blocks print.

    Raises:
        ValueError: a mark stands below no block.
        KeyError: no answers are given for a mark.
        RuntimeError: a block failed.
        AssertionError: a block did not ask for all that would be answered, or for more.
    """

    def put(found: re.Match[str]) -> str:
        kind, block, name = found.groups()
        return f"```{kind}\n{block}```\n\n{SAID}\n\n```text\n{output_of(kind, block, name)}```"

    done = _MARK.sub(put, page)
    if lost := _ANY_MARK.search(done):
        raise ValueError(f"<!-- output: {lost[1]} --> stands below no block of Python or the shell")
    return done


@cache
def output_of(kind: str, block: str, name: str) -> str:
    """What a block prints.

    Args:
        kind: `python`, `bash` or `sh`.
        block: its text.
        name: a key of `ANSWERS`.
    """
    with reader(*ANSWERS[name]) as person:
        start = (sys.executable, "-c") if kind == "python" else ("bash", "-euo", "pipefail", "-c")
        printed = person.prints(*start, block)
    if not printed.strip():
        raise RuntimeError(f"The block above <!-- output: {name} --> printed nothing")
    return printed if printed.endswith("\n") else f"{printed}\n"
