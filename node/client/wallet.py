"""A key with its next nonce: builds, signs and sends, and keeps count by itself."""

from collections.abc import Sequence

from ledger.crypto import SigningKey
from ledger.transactions import Action, build_transaction
from node.client.client import ApiError, Client, Document, Submitted

STALE = frozenset({"nonce_used", "nonce_conflict"})


class Wallet:
    """One account on one chain, seen through one node.

    Nonces are counted here after the first look at the node, so many transactions can be signed
    without asking; when the node calls a nonce stale, the count is taken anew once.
    """

    def __init__(self, client: Client, key: SigningKey) -> None:
        self.client = client
        self.key = key
        self._chain = ""
        self._genesis_hash = b""
        self._nonce: int | None = None

    @property
    def address(self) -> str:
        """The account."""
        return self.key.address

    async def sign(self, actions: Sequence[Action], *, expires: int = 0) -> bytes:
        """The raw bytes of the next transaction of this account; uses up its nonce."""
        if not self._chain:
            status = await self.client.status()
            self._chain = str(status["chain"])
            self._genesis_hash = bytes.fromhex(status["genesis_hash"])
        if self._nonce is None:
            self._nonce = await self.client.next_nonce(self.address)
        nonce = self._nonce
        self._nonce += 1
        return build_transaction(self.key, self._genesis_hash, self._chain, nonce, actions, expires)

    async def send(self, *actions: Action, expires: int = 0) -> Submitted:
        """Sign and submit one transaction of these actions.  Raises ApiError."""
        try:
            return await self.client.submit(await self.sign(actions, expires=expires))
        except ApiError as error:
            self.forget_nonce()
            if error.code not in STALE:
                raise
        return await self.client.submit(await self.sign(actions, expires=expires))

    async def send_final(
        self, *actions: Action, expires: int = 0, timeout_s: float = 30.0
    ) -> Document:
        """`send`, then wait until it is final; `code` in the answer tells whether it worked."""
        sent = await self.send(*actions, expires=expires)
        return await self.client.wait_final(sent.hash, timeout_s)

    async def send_all(self, batches: Sequence[Sequence[Action]]) -> list[Submitted]:
        """One transaction per batch of actions, all in one request; results in order."""
        raws = [await self.sign(actions) for actions in batches]
        results = await self.client.submit_all(raws)
        if any(result.error is not None for result in results):
            self.forget_nonce()
        return results

    def forget_nonce(self) -> None:
        """Ask the node again before the next transaction."""
        self._nonce = None
