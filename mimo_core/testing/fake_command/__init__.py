"""The command `mimo-fake`: the emulator for programs in any language, a recording proxy, a replay.

    mimo-fake --port 8765                                        # the emulator
    mimo-fake --script replies.yaml --strict                     # with these answers
    mimo-fake --record-proxy https://api.xiaomimimo.com --cassette chat.yaml
    mimo-fake --replay chat.yaml

A script is YAML or JSON (`script_file`), from a file or sent to `POST /_script` (`control`). The
proxy passes requests on to one server, key included, and writes what was said into a cassette
without it (`proxy`). The replay answers from a cassette and never sends anything (`replay`).
"""
