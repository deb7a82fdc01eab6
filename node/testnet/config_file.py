"""Writes a node's config.toml: only what differs from the defaults, with the reason beside it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeAddresses:
    """Where a node listens and where others find it."""

    host: str
    port: int
    url: str


def render_config(name: str, where: NodeAddresses, peers: Sequence[str], log_format: str) -> str:
    """Return the TOML text.  `peers` ("<account>@host:port") override the genesis endpoints."""
    lines = [
        "# Settings of one TwinChain node.  Paths are relative to this file.",
        "# Any key can be overridden by the environment: TWINCHAIN_SECTION__KEY.",
        "",
        "[node]",
        f'name = "{name}"',
        'data_dir = "data"',
        'genesis_file = "genesis.json"',
        'signing_key_file = "signing.json"',
        'vrf_key_file = "vrf.json"',
        'password_file = "password"',
        *([f'endpoint = "{where.url}"'] if peers else []),
        "",
        "[api]",
        f'host = "{where.host}"',
        f"port = {where.port}",
        f'public_url = "{where.url}"',
        "",
    ]
    if peers:
        lines += ["[p2p]", "# The ports moved since the genesis was made.", "peers = ["]
        lines += [f'  "{peer}",' for peer in peers]
        lines += ["]", ""]
    lines += ["[log]", f'format = "{log_format}"', ""]
    return "\n".join(lines)
