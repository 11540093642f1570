"""A recording of 10 MB, heard or spoken, takes less than three times its encoded size.

Each case in a process of its own, whose largest size is what the system says it was.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mimo_core.audio import wav_header
from mimo_core.speech import MAX_ENCODED
from mimo_core.testing import FakeMiMo, Reply

SOUND = bytes(MAX_ENCODED // 4 * 3 - 44)
LARGE = wav_header(len(SOUND)) + SOUND
SMALL = wav_header(4_800) + bytes(4_800)

PROGRAM = """
import resource, sys

def core_hears(path):
    from mimo_core import MiMoClient
    from mimo_core.speech import transcription_request
    with MiMoClient() as client:
        client.chat(transcription_request("mimo-v2.5-asr", path))

def langchain_hears(path):
    from langchain_core.messages import HumanMessage
    from langchain_mimo import ChatMiMo, media_block
    list(ChatMiMo(model="mimo-v2.5-asr").stream([HumanMessage([media_block(path)])]))

def langchain_clones(path):
    from pathlib import Path
    from langchain_mimo import ChatMiMo
    ChatMiMo(model="mimo-v2.5-tts-voiceclone", audio={"voice": Path(path)}).invoke("Hello.")

def langchain_speaks(path):
    from langchain_mimo import ChatMiMo, save_audio
    save_audio(ChatMiMo(model="mimo-v2.5-tts").invoke("Hello."), path + ".saved.wav")

def llm_hears(path):
    from llm.cli import cli
    cli.main(["prompt", "-m", "mimo-v2.5-asr", "-a", path], standalone_mode=False)

def llm_speaks(path):
    from llm.cli import cli
    cli.main(["mimo", "speak", "Hello.", "-o", path + ".saved.wav"], standalone_mode=False)

case, small, large = sys.argv[1:]
largest = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
globals()[case](small)  # imports, the client, the connection
before = largest()
globals()[case](large)
sys.stderr.write(f"{largest() - before}")
"""
CASES = (
    *("core_hears", "langchain_hears", "langchain_clones", "langchain_speaks"),
    *("llm_hears", "llm_speaks"),
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there is no getrusage")
@pytest.mark.parametrize("case", CASES)
def test_the_largest_recording(case: str, tmp_path: Path) -> None:
    small, large = tmp_path / "small.wav", tmp_path / "large.wav"
    small.write_bytes(SMALL)
    large.write_bytes(LARGE)
    with FakeMiMo() as mimo:
        if "speaks" in case:
            mimo.queue(Reply(audio=SMALL), Reply(audio=LARGE))
        environment = {
            **os.environ,
            "MIMO_BASE_URL": mimo.named_base_url,
            "MIMO_API_KEY": "sk-test",
            "LLM_USER_PATH": str(tmp_path / "user"),
        }
        command = [sys.executable, "-c", PROGRAM, case, str(small), str(large)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    grown = int(done.stderr.rsplit("\n", 1)[-1]) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 3 * MAX_ENCODED, f"{grown / MAX_ENCODED:.2f} times the encoded size"
    if "speaks" in case:
        assert Path(f"{large}.saved.wav").read_bytes() == LARGE
