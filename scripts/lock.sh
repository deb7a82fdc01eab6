#!/usr/bin/env bash
# Remakes the two hashed locks from pyproject.toml; run it after a change of dependencies.
# Needs `uv` on PATH. Universal: one lock serves every Python from 3.11 and every platform.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes "$@" pyproject.toml; }
compile --extra build -o requirements.lock
compile --extra build --extra dev -c requirements.lock -o requirements-dev.lock
