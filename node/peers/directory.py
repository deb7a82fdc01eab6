"""Who the peers of this node are: the members in the state, and whom the settings add."""

from collections.abc import Collection, Sequence

from ledger.members import members
from ledger.state import View
from node.peers.peer import PeerInfo, Role


def peers_of(
    state: View, voting: Collection[bytes], configured: Sequence[str]
) -> tuple[PeerInfo, ...]:
    """Members by the endpoint in their record, overridden and completed by `configured`.

    `configured` entries are "<account>@[http[s]://]host:port"; accounts that are no members are
    observers.  Who has left or was ejected stays a peer as long as its key is in `voting`: its
    vote counts until the set changes.
    """
    urls = dict(entry.split("@", 1) for entry in configured)
    infos = [
        PeerInfo(
            key=bytes.fromhex(address),
            name=member.name,
            role=Role.MEMBER,
            url=url_of(urls.pop(address, member.endpoint)),
        )
        for address, member in members(state)
        if member.status not in {"left", "ejected"} or bytes.fromhex(address) in voting
    ]
    for address, endpoint in urls.items():
        name = f"observer-{address[:8]}"
        infos.append(PeerInfo(bytes.fromhex(address), name, Role.OBSERVER, url_of(endpoint)))
    return tuple(infos)


def url_of(endpoint: str) -> str:
    """The endpoint as http(s)://host:port, "" for one that is unknown or not of that kind."""
    if "://" not in endpoint:
        return f"http://{endpoint}" if endpoint else ""
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}" if scheme in {"http", "https"} and rest else ""
