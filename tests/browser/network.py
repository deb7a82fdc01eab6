"""A real network of four node processes with demo traffic, for tests that look at the explorer."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.e2e.kit import Net, run, spawn, until

NODES = 4
BLOCK_MS = 500


class Network:
    """The running network; `start` before anything else, `stop` at the end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.net = Net(root / "net")
        self._demo: subprocess.Popen[bytes] | None = None

    def start(self, base_port: int) -> None:
        self.net.start(
            *("--validators", str(NODES), "--base-port", str(base_port)),
            *("--block-time", f"{BLOCK_MS}ms"),
        )
        log = self.root / "demo.log"
        self._demo = spawn(("demo", "--dir", str(self.net.layout.root)), log, log, {})
        until(lambda: self.get("trades?limit=1"), "the first trade")

    def stop(self) -> None:
        if self._demo is not None:
            self._demo.terminate()
            self._demo.wait(20)
        self.net.close()

    def url(self, node: int = 0) -> str:
        return self.net.url(node)

    def get(self, path: str, node: int = 0) -> Any:
        """The `data` of an answer under /v1."""
        return self.net.data(node, f"/v1/{path}")

    def height(self, node: int = 0) -> int:
        return self.net.height(node)

    def send(self, *words: str, key: str) -> str:
        """Run `twinchain tx ...` with the key of a named account; the last line it prints."""
        return self.send_as(str(self.net.layout.account_key(key)), *words)

    def send_as(self, path: str, *words: str) -> str:
        """The same with any key file; the demo may sign with it at the same moment."""
        for _ in range(10):
            done = run("tx", *words, "--node", self.url(), "--key", path, "--json")
            if "nonce_" not in done.stderr:
                break
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]
