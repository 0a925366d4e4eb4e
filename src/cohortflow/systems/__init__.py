"""Published methods, each by name: its network, its printed tables, its pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cohortflow.errors import UnknownName, nearest

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class System:
    """One published method that is built here; its printed numbers go by the same name."""

    name: str
    title: str
    source: str
    build: Callable[..., nn.Module]


def _mci_persistent_homology(**options: Any) -> nn.Module:
    from cohortflow.systems.mci_persistent_homology import build

    return build(**options)


SYSTEMS: dict[str, System] = {
    system.name: system
    for system in (
        System(
            name="mci-persistent-homology",
            title="Persistent homology of resting-state series for mild cognitive impairment",
            source="Aithal et al.: Leveraging Persistent Homology for Differential Diagnosis of "
            "Mild Cognitive Impairment. ICPR 2024, arXiv:2408.15647",
            build=_mci_persistent_homology,
        ),
    )
}


def system_named(name: str) -> System:
    """The system of this name; :class:`UnknownName` otherwise."""
    if name not in SYSTEMS:
        raise UnknownName(f"no such system {name!r}", hint=nearest(name, SYSTEMS))
    return SYSTEMS[name]


def build_network(name: str, **options: Any) -> nn.Module:
    """The untrained network of a system; its weights come from torch's current random state."""
    return system_named(name).build(**options)
