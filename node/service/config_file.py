"""Writes a node's config.toml: only what differs from the defaults, with the reason beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

MOVED = "The ports moved since the genesis was made."


@dataclass(frozen=True, slots=True)
class NodeAddresses:
    """Where a node listens and where others find it."""

    host: str
    port: int
    url: str


def render_config(
    name: str,
    where: NodeAddresses,
    peers: Sequence[str],
    log_format: str,
    *,
    why_peers: str = MOVED,
    in_genesis: bool = True,
) -> str:
    """Return the TOML text.  `peers` ("<account>@host:port") override the genesis endpoints.

    A node that is not `in_genesis`, or whose port moved, states its own endpoint.
    """
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        "# Settings of one TwinChain node.  Paths are relative to this file.",
        "# Any key can be overridden by the environment: TWINCHAIN_SECTION__KEY.",
        "",
        "[node]",
        f'name = "{quoted}"',
        'data_dir = "data"',
        'genesis_file = "genesis.json"',
        'signing_key_file = "signing.json"',
        'vrf_key_file = "vrf.json"',
        'password_file = "password"',
        *([f'endpoint = "{where.url}"'] if peers or not in_genesis else []),
        "",
        "[api]",
        f'host = "{where.host}"',
        f"port = {where.port}",
        f'public_url = "{where.url}"',
        "",
    ]
    if peers:
        lines += ["[p2p]", f"# {why_peers}", "peers = ["]
        lines += [f'  "{peer}",' for peer in peers]
        lines += ["]", ""]
    lines += ["[log]", f'format = "{log_format}"', ""]
    return "\n".join(lines)
