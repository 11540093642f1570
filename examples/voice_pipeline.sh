#!/bin/sh
# The voice agent as one shell pipeline: sh examples/voice_pipeline.sh [RECORDING [ANSWER.wav]]
# Live with MIMO_API_KEY; without it, question.mp3 is answered from a cassette.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
recording=${1:-$here/question.mp3}
answer=${2:-answer.wav}

if [ -z "${MIMO_API_KEY:-}" ]; then
    llm() { mimo-replay "$here/../cassettes/voice/pipeline.yaml" -- llm "$@"; }
fi

llm mimo transcribe "$recording" |
    llm -m mimo-v2.6-pro -s 'Answer in one short sentence.' |
    llm mimo speak - -o "$answer"
