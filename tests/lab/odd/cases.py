"""All cases of the odd world: each answers its target's probes in one odd way."""

from odd import icmp, late, link, other, tcp  # noqa: F401 # they register their cases
from odd.registry import CASES

__all__ = ["CASES"]
