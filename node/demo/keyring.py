"""The key files of a test network, opened once, for the agents that sign with them."""

from dataclasses import dataclass
from pathlib import Path

from ledger.crypto import SigningKey
from node.keyfiles import KeyFileError, KeyKind, load_seed, read_password_file, read_public

PATTERNS = ("*.json", "accounts/*.json", "node-*/signing.json")


@dataclass(frozen=True, slots=True)
class Signer:
    """One account the demo can sign for."""

    name: str
    key: SigningKey

    @property
    def address(self) -> str:
        return self.key.address


def open_signers(directory: Path) -> list[Signer]:
    """Open every signing key below `directory` whose password lies beside it, by file name.

    Raises KeyFileError when there is none, or when one does not open.
    """
    signers = []
    for path in sorted(path for pattern in PATTERNS for path in directory.glob(pattern)):
        password = path.parent / "password"
        if not password.is_file():
            continue
        public = read_public(path)
        if public.kind is KeyKind.SIGNING:
            seed = load_seed(path, read_password_file(password), KeyKind.SIGNING)
            signers.append(Signer(public.name, SigningKey.from_seed(seed)))
    if not signers:
        raise KeyFileError(f"{directory}: no key files with a password file beside them")
    return signers
