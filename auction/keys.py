"""Where the market keeps what in the state: one function for each key.

Heights inside keys are eight bytes, big-endian, so that what is due at a height stands together and
a block reads only that.

    order/<order>                      which book and side an open order is in
    book/<broker><side><order>         the open order
    tally/<broker><owner>              open orders of an account in a book
    sides/<broker>                     open orders of a book on each side
    expiry/<height><order>             orders whose last round is that height's
    arrival/<height><order>            orders waiting to be paired with the book
    edge/<order>                       the pairs an open order keeps
    due/<height><broker><bid>          bids with a pair that crosses at that height
    committed/<seller>                 resources in open asks and running agreements
    agreement/<agreement>              running, or ended and open to rating
    agreement_due/<height><agreement>  what ends, or falls out of its window, at that height
    agreement_seller/<seller><agreement>  running agreements of a server
"""

HEIGHT_BYTES = 8

BIDS = b"b"
ASKS = b"a"
"""The two sides of a book, as bytes in a key."""

PRESENT = b"1"
"""Value of a key that says all there is to say."""

ORDER = b"order/"
BOOK = b"book/"
TALLY = b"tally/"
SIDES = b"sides/"
EXPIRY = b"expiry/"
ARRIVAL = b"arrival/"
EDGE = b"edge/"
DUE = b"due/"
COMMITTED = b"committed/"
AGREEMENT = b"agreement/"
AGREEMENT_DUE = b"agreement_due/"
AGREEMENT_SELLER = b"agreement_seller/"

DEFERRED_KEY = b"round/deferred"
"""Last height whose builder deferred a book, eight bytes big-endian."""


def height_bytes(height: int) -> bytes:
    """Return a height as it stands in keys and stored values."""
    return height.to_bytes(HEIGHT_BYTES, "big")


def at_height(table: bytes, height: int) -> bytes:
    """Return the prefix of what a table holds under one height."""
    return table + height_bytes(height)
