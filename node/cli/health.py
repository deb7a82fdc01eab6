"""`twinchain health`: is this node ready?  Standard library only, so that a probe costs little.

A container engine runs this every few seconds on every node: importing the rest of the command
line would cost more than the node itself.  Asks GET /readyz and GET /v1/status over plain HTTP.
"""

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

MAX_ANSWER_BYTES = 65_536
DEFAULT_URL = "http://127.0.0.1:8080"


def get(url: str, path: str, timeout_s: float) -> tuple[int, bytes]:
    """Return status and body of one plain HTTP GET.  Raises OSError, or ValueError on nonsense."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url}: needs http://HOST:PORT")
    host, port = parts.hostname, parts.port or 80
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.settimeout(timeout_s)
        connection.sendall(request.encode("ascii"))
        answer = b""
        while len(answer) < MAX_ANSWER_BYTES:
            chunk = connection.recv(16_384)
            if not chunk:
                break
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise ValueError(f"{url}: not an HTTP answer")
    return int(words[1]), body


def height_of(url: str, timeout_s: float) -> int:
    """Return the height of the newest final block at `url`.  Raises OSError or ValueError."""
    status, body = get(url, "/v1/status", timeout_s)
    if status != 200:
        raise ValueError(f"{url}/v1/status answered {status}")
    data = json.loads(body)["data"]
    return int(data["height"])


def run(arguments: Sequence[str]) -> int:
    """Return 0 when ready, 1 when not (the reasons are printed), 5 when nobody answers."""
    parser = argparse.ArgumentParser(
        prog="twinchain health",
        description="Exit 0 when the node is ready, 1 when it is not, 5 when nobody answers.",
    )
    parser.add_argument("--url", default=os.environ.get("TWINCHAIN_NODE", DEFAULT_URL))
    parser.add_argument("--min-height", type=int, default=0, help="also wait for this height")
    parser.add_argument("--timeout", type=float, default=3.0, help="seconds per request")
    options = parser.parse_args(arguments)
    try:
        status, body = get(options.url, "/readyz", options.timeout)
        height = height_of(options.url, options.timeout)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        print(f"unreachable: {options.url}: {problem}", file=sys.stderr)
        return 5
    if status != 200:
        print(f"not ready ({status}): {body.decode(errors='replace').strip()}")
        return 1
    if height < options.min_height:
        print(f"not ready: height {height}, waiting for {options.min_height}")
        return 1
    print(f"ready: height {height}")
    return 0
