"""The table of problem codes: what each means, its HTTP status, and what to do about it.

A code keeps its meaning for ever.  Codes of the ledger that can only concern blocks are not here:
no client ever sees them.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code means: HTTP status, a title for people, and what to do about it."""

    status: int
    title: str
    hint: str


KINDS: Mapping[str, Kind] = {
    "not_canonical": Kind(
        400,
        "The bytes are not canonical JSON",
        "Send RFC 8785 bytes: sorted keys, no spaces, no floats, integers below 2^53.",
    ),
    "validation_error": Kind(
        400, "A value has the wrong form", "Compare the request with /openapi.json."
    ),
    "wrong_chain": Kind(
        400, "Signed for another chain", "Take `chain` and `genesis_hash` from /v1/status."
    ),
    "unsupported_version": Kind(
        400, "This version is not spoken here", "See `version` in /v1/status."
    ),
    "invalid_signature": Kind(
        400,
        "The signature does not fit",
        "Sign SHA-256(tag, 0x00, genesis hash, body without `sig`); see docs/api.md.",
    ),
    "role_not_allowed": Kind(403, "The account may not do this", "See its roles in /v1/accounts."),
    "not_found": Kind(404, "Nothing is here", "The routes are listed at / and /openapi.json."),
    "method_not_allowed": Kind(
        405, "The route has no such method", "The `Allow` header names the methods."
    ),
    "request_timeout": Kind(408, "The request came too slowly", "Send the body at once."),
    "nonce_used": Kind(
        409, "The nonce was used before", "Take `next_nonce` from /v1/accounts/{address}."
    ),
    "already_final": Kind(
        409, "The transaction is final already", "Nothing to do: see /v1/txs/{hash}."
    ),
    "nonce_conflict": Kind(
        409,
        "Another transaction waits with this nonce",
        "Wait for the first one, or use `next_nonce`.",
    ),
    "duplicate_order": Kind(409, "The order exists already", "Look it up under /v1/orders."),
    "pruned": Kind(410, "Not kept by this node", "Ask a node that keeps all blocks."),
    "body_too_large": Kind(413, "The body is too large", "Send fewer transactions at a time."),
    "uri_too_long": Kind(414, "The address is too long", "Shorten the query."),
    "unsupported_media_type": Kind(
        415, "Only plain JSON is read", "Send `Content-Type: application/json`, uncompressed."
    ),
    "unknown_account": Kind(422, "The account is not known", "Register or fund it first."),
    "insufficient_funds": Kind(
        422, "Not enough free funds", "See `free_micro` in /v1/accounts/{address}."
    ),
    "unknown_order": Kind(422, "There is no such open order", "See /v1/orders."),
    "unknown_agreement": Kind(422, "There is no such agreement", "See /v1/agreements."),
    "unknown_broker": Kind(422, "There is no such broker", "See /v1/brokers."),
    "broker_suspended": Kind(422, "The broker is suspended", "Choose another from /v1/brokers."),
    "book_closing": Kind(
        422,
        "The book of the suspended broker is still being closed",
        "Propose it some blocks later.",
    ),
    "invalid_tariff": Kind(422, "The tariff contradicts itself", "See the docs on brokers."),
    "not_owner": Kind(403, "It belongs to another account", "Sign with the owner's key."),
    "not_compliant": Kind(
        403, "The server's resources are below the threshold", "See `resource_threshold`."
    ),
    "wrong_side": Kind(
        422, "The order stands on the other side", "Give `price` the `side` of the order."
    ),
    "unfit_for_class": Kind(
        422,
        "The broker's classes do not take this order",
        "See `classes` in the broker's tariff; state a flat price, open at 1000000.",
    ),
    "order_expired": Kind(422, "The order would be over at once", "Give a later `expires`."),
    "order_too_long": Kind(422, "The order would stay too long", "See `order_blocks`."),
    "expiry_full": Kind(
        422, "Too many orders end at that height", "Give the `expires` that `detail` names."
    ),
    "price_out_of_bounds": Kind(422, "A price passes the bounds", "Check the terms of the order."),
    "step_too_small": Kind(422, "The price would move too slowly", "Raise `omega_micro`."),
    "resources_exceeded": Kind(
        422, "More resources than the server declared", "Wait for an agreement to end."
    ),
    "rating_closed": Kind(422, "The agreement takes no rating", "Rate once, within the window."),
    "expired": Kind(422, "The transaction has expired", "Sign it again with a later `expires`."),
    "nonce_gap": Kind(422, "The nonce is too far ahead", "Send the nonces in between first."),
    "fee_not_covered": Kind(
        422, "The fee is not covered", "See `fee_per_action_micro` in /v1/params."
    ),
    "zero_amount": Kind(
        422, "The amount is zero", "Send at least one micro-token; offer at least one resource."
    ),
    "self_transfer": Kind(422, "Sender and receiver are one", "Name another receiver."),
    "unacceptable_key": Kind(422, "No account can have this key", "Check the address."),
    "already_registered": Kind(409, "The account has a name already", "See /v1/accounts."),
    "stake_out_of_bounds": Kind(
        422, "The stake would leave its bounds", "See `stake_min_micro` in /v1/params."
    ),
    "no_application": Kind(422, "The account has not applied", "It must send `apply` first."),
    "still_jailed": Kind(422, "The time in jail is not over", "See `jailed_until` of the member."),
    "already_proposed": Kind(409, "The same is proposed already", "Approve it: /v1/proposals."),
    "already_approved": Kind(409, "Approved by this member already", "See /v1/proposals."),
    "unknown_proposal": Kind(422, "There is no such open proposal", "See /v1/proposals."),
    "bad_evidence": Kind(
        422, "The evidence convicts nobody", "Two conflicting votes, recent, not punished yet."
    ),
    "round_closed": Kind(422, "The round is closed", "Use an open round or order."),
    "limit_exceeded": Kind(422, "A limit of the chain is passed", "See /v1/params."),
    "rate_limited": Kind(429, "Too many requests", "Wait for `Retry-After` seconds."),
    "internal_error": Kind(
        500, "The node made a mistake", "This is a bug: please report it with the time."
    ),
    "mempool_full": Kind(503, "The waiting room is full", "Try again after a block or two."),
    "not_ready": Kind(503, "The node is not ready", "The reasons are in `errors`."),
    "overloaded": Kind(503, "Too much at once", "Wait for `Retry-After` seconds."),
}
REFUSED = Kind(422, "The ledger refuses this", "See the code in docs/api.md.")
