"""Which of a domain's two faces a change is for: what runs, and the definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from virtquorum.errors import HostError

if TYPE_CHECKING:
    from virtquorum.host.domain import HostDomain

__all__ = ["Scope"]


class Scope(NamedTuple):
    """Whether a change is for the running domain, for its definition, or for both."""

    live: bool
    config: bool

    @classmethod
    def of(cls, domain: HostDomain, *, live: bool, config: bool) -> Scope:
        """What is asked for; without either it is the running domain, or else the definition.

        Raises HostError for a domain that does not run, or has no definition.
        """
        active = domain.is_active
        if not live and not config:
            live, config = active, not active
        if live and not active:
            raise HostError(
                f"{domain.where} is {domain.state}, so there is no running domain to change with "
                "'--live'; '--config' changes its definition, which the next start takes"
            )
        if config and not domain.is_persistent:
            raise HostError(
                f"{domain.where} has no definition to change with '--config': it is transient, "
                "and gone when it ends; '--live' changes it until then"
            )
        return cls(live, config)

    def __str__(self) -> str:
        if self.live and self.config:
            return "the running domain and its definition"
        return "the running domain" if self.live else "the definition"
