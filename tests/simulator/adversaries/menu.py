"""All adversaries by name."""

from tests.simulator.adversaries.certifier import Certifier
from tests.simulator.adversaries.conflicter import Conflicter
from tests.simulator.adversaries.corrupt import CorruptHost
from tests.simulator.adversaries.equivocator import Equivocator
from tests.simulator.adversaries.flooder import Flooder
from tests.simulator.adversaries.forger import Forger
from tests.simulator.adversaries.impersonator import Impersonator
from tests.simulator.adversaries.liar import Liar
from tests.simulator.adversaries.nuller import Nuller
from tests.simulator.adversaries.nullify_only import NullifyOnly
from tests.simulator.adversaries.outdated import Outdated
from tests.simulator.adversaries.reconfigurer import Reconfigurer
from tests.simulator.adversaries.selective import Selective
from tests.simulator.adversaries.silent import Silent
from tests.simulator.adversaries.spammer import Spammer
from tests.simulator.adversaries.spoiler import Spoiler
from tests.simulator.adversaries.stranger import Stranger
from tests.simulator.adversaries.twins import Twins
from tests.simulator.adversaries.withholder import Withholder

ADVERSARIES: dict[str, type[CorruptHost] | type[Twins]] = {
    "certifier": Certifier,
    "conflicter": Conflicter,
    "equivocator": Equivocator,
    "flooder": Flooder,
    "forger": Forger,
    "impersonator": Impersonator,
    "liar": Liar,
    "nuller": Nuller,
    "nullify-only": NullifyOnly,
    "outdated": Outdated,
    "reconfigurer": Reconfigurer,
    "selective": Selective,
    "silent": Silent,
    "spammer": Spammer,
    "spoiler": Spoiler,
    "stranger": Stranger,
    "twins": Twins,
    "withholder": Withholder,
}
"""One file each in adversaries/."""

NEEDS_OFFENCES = ("spammer",)
"""Adversaries that make no sense above an application that punishes nobody."""
