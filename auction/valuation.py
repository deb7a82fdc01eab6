"""What a service is worth to its buyer and costs its seller (Eqs 4-10), in whole micro-tokens.

With R the comprehensive resource of the seller (Eq 4), theta the model scale, T the service time,
f the interval between interactions and K = ceil(T / f) their number:

    value   G    = v / theta * ln(1 + gamma R) * T                  (Eqs 5, 7), rounded down
    cost    Cmd  = r theta + d                                      (Eq 9a)
            Ccm  = K (eta exp(eps Cmd) - 1),  eta >= 1              (Eq 9b)
            Ccp  = K (a Cmd^2 + b Cmd + c)                          (Eq 9c)
            C    = Cmd + Ccm + Ccp                                  (Eq 10), rounded up

R counts as at most `largest_resource`, so a buyer's worst case is known when it bids.  Rounding
favours the participant whose limit it is: it never pays more than its value, never serves below
its cost.  A flat limit or floor stands for the whole function.

Units: theta in 10^-3, gamma in 10^-9 per unit of R, v in micro-tokens per height, eps, r, d in
10^-6, a, b, c in micro-tokens per interaction, and one unit of Cmd or Ccm is one token.
"""

from auction.actions import MAX_PRICE, Bid, CostModel, FlatFloor, UtilityModel
from auction.fixed import (
    EXP_ARGUMENT_MAX,
    EXP_FRACTION_BITS,
    FRACTION_BITS,
    exp_up,
    ln_down,
)

MILLI = 10**3
MICRO = 10**6
NANO = 10**9
PICO = 10**12

LN_NANO_UP = ln_down(NANO) + 8
"""At least ln(10^9) in Q40: the bound of `ln_down` the other way."""


def value_of_service(bid: Bid, resource: int, largest_resource: int) -> int:
    """Return G_ij in micro-tokens, rounded down; may pass MAX_PRICE for a model."""
    valuation = bid.valuation
    if not isinstance(valuation, UtilityModel):
        return valuation.limit_micro
    level = min(resource, largest_resource)
    logarithm = max(0, ln_down(NANO + valuation.gamma_nano * level) - LN_NANO_UP)
    scaled = valuation.value_micro * MILLI * bid.service_blocks * logarithm
    return scaled // (bid.theta_milli << FRACTION_BITS)


def cost_of_service(
    cost: FlatFloor | CostModel, theta_milli: int, service_blocks: int, interval_blocks: int
) -> int | None:
    """Return C_ij in micro-tokens, rounded up, or None where it passes the bounds.

    None means: no deal between these two, the exponent is above 20 or the cost above MAX_PRICE.
    """
    if not isinstance(cost, CostModel):
        return cost.floor_micro
    interactions = -(-service_blocks // interval_blocks)
    modelling = -(-cost.r_micro * theta_milli // MILLI) + cost.d_micro
    exponent = -(-(cost.epsilon_micro * modelling << FRACTION_BITS) // PICO)
    if exponent > EXP_ARGUMENT_MAX:
        return None
    communication = -(-cost.eta_ppm * exp_up(exponent) >> EXP_FRACTION_BITS) - MICRO
    square = cost.a_micro * modelling * modelling
    computation = -(-(square + cost.b_micro * modelling * MICRO + cost.c_micro * PICO) // PICO)
    total = modelling + interactions * (communication + computation)
    return total if total <= MAX_PRICE else None
