"""Certifier: hands out certificates that do not hold, in every way they can fail to."""

from collections.abc import Callable
from dataclasses import replace

from consensus.simplex.certificates import bitmap
from consensus.simplex.events import Message
from consensus.simplex.types import Certificate, ValidatorSet, VoteKind, vote_message
from tests.simulator.adversaries.corrupt import CorruptHost

Falsify = Callable[["Certifier", Certificate, ValidatorSet], Certificate]


def doubled_signer(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    return replace(held, signatures=(held.signatures[0],) * len(held.signatures))


def below_quorum(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    signers = held.signer_indices()[: validators.quorum - 1]
    return replace(
        held,
        signers=bitmap(signers, validators.n),
        signatures=held.signatures[: len(signers)],
    )


def bitmap_too_long(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    return replace(held, signers=held.signers + b"\x00")


def bitmap_too_short(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    return replace(held, signers=held.signers[:-1] or b"\x01", signatures=held.signatures[:1])


def bit_beyond_the_set(
    host: "Certifier", held: Certificate, validators: ValidatorSet
) -> Certificate:
    octets = bytearray(held.signers)
    octets[-1] |= 1 << (validators.n % 8 or 7)
    own = host.signature(held, validators)
    return replace(held, signers=bytes(octets), signatures=(*held.signatures, own))


def filled_by_oneself(
    host: "Certifier", held: Certificate, validators: ValidatorSet
) -> Certificate:
    """All signers are named, and one has signed for all."""
    own = host.signature(held, validators)
    everyone = range(validators.n)
    return replace(held, signers=bitmap(everyone, validators.n), signatures=(own,) * validators.n)


def other_view(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    return replace(held, view=held.view + 1)


def other_kind(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    if held.kind is VoteKind.NULLIFY:
        return replace(held, view=held.view + 2)
    swapped = {VoteKind.NOTARIZE: VoteKind.FINALIZE, VoteKind.FINALIZE: VoteKind.NOTARIZE}
    return replace(held, kind=swapped[held.kind])


def other_block(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    if held.kind is VoteKind.NULLIFY:
        return other_view(host, held, validators)
    return replace(held, payload=host.random_payload())


def later_height(host: "Certifier", held: Certificate, validators: ValidatorSet) -> Certificate:
    """The signatures of one height, and maybe of an older set, for the next height."""
    return replace(held, height=held.height + 1)


FALSIFICATIONS: tuple[Falsify, ...] = (
    doubled_signer,
    below_quorum,
    bitmap_too_long,
    bitmap_too_short,
    bit_beyond_the_set,
    filled_by_oneself,
    other_view,
    other_kind,
    other_block,
    later_height,
)


class Certifier(CorruptHost):
    def post(self, receiver: int, message: Message) -> None:
        super().post(receiver, message)
        chance = self.node.world.chance
        if isinstance(message, Certificate) and chance.randrange(2):
            validators = self.node.plug.validators(message.height)
            falsify = chance.choice(FALSIFICATIONS)
            self.node.world.counts[f"certificate {falsify.__name__.replace('_', ' ')}"] += 1
            super().post(receiver, falsify(self, message, validators))

    def signature(self, held: Certificate, validators: ValidatorSet) -> bytes:
        """Our own signature over what the certificate says."""
        genesis_hash = self.node.settings.genesis_hash
        subject = (held.kind, held.height, held.view, held.parent_view, held.payload)
        return self.node.signer.sign(vote_message(genesis_hash, validators.digest, *subject))
