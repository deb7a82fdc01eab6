"""Adds a node to a test network that runs: keys, genesis, configuration; the chain is not asked.

The newcomer is no validator yet: its account applies and is admitted on the chain.  It has a place
in `testnet.json`, marked `joined`, and is started by hand or in a container of its own.
"""

import msgspec

from node.application.genesis import from_bytes
from node.keyfiles import KeyFileError
from node.service.directory import DirectoryError, NewNode, make_node
from node.testnet import plan
from node.testnet.create import node_addresses, read_genesis
from node.testnet.layout import Description, Layout, NodeEntry, TestnetError, write_description

MAX_NODES = 2 * plan.MAX_VALIDATORS


def add_node(
    layout: Layout, found: Description, index: int | None = None
) -> tuple[Description, NodeEntry, bool]:
    """Make the directory of node `index` (default: the next one), or finish one begun before.

    Returns the network, the node, and whether it is new.  Raises TestnetError.
    """
    following = len(found.nodes)
    index = following if index is None else index
    if not 0 <= index <= min(following, MAX_NODES - 1):
        raise TestnetError(f"the next node is node {following}, not node {index}")
    if index < following:
        return found, found.nodes[index], False
    where = node_addresses(index, found.base_port, found.compose)
    if where.port > 65_535:
        raise TestnetError(f"no port is left above base port {found.base_port}")
    genesis = read_genesis(layout, found)
    known = {one.address: one.endpoint for one in from_bytes(genesis).genesis.ledger.members}
    wanted = NewNode(
        directory=layout.node(index),
        name=plan.server_name(index),
        genesis=genesis,
        where=where,
        peers=[f"{n.address}@{n.url}" for n in found.nodes if known.get(n.address) != n.url],
        light=True,
        log_format="console" if found.compose else "json",
    )
    try:
        identity = make_node(wanted)
    except (DirectoryError, KeyFileError) as problem:
        raise TestnetError(str(problem)) from None
    entry = NodeEntry(
        index=index,
        name=wanted.name,
        address=identity.address,
        url=where.url,
        config=str(layout.config(index).relative_to(layout.root)),
        log=str(layout.log(index).relative_to(layout.root)),
        joined=True,
    )
    grown = msgspec.structs.replace(found, nodes=(*found.nodes, entry))
    write_description(layout, grown)
    return grown, entry, True
