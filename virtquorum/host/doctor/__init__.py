"""What a crash, or somebody's hands, have left of a quorum domain: found, and mended.

::

    with virtquorum.host.connect() as host:
        for one in examine(host, host.domain("web")):
            print(one.message, one.mending)
        treated = treat(host, host.domain("web"), agreed=lambda one: False)
        assert not treated.left
"""

from __future__ import annotations

from virtquorum.host.doctor.doctor import Treated, Treatment, examine, treat
from virtquorum.host.doctor.finding import KINDS, Ailment

__all__ = ["KINDS", "Ailment", "Treated", "Treatment", "examine", "treat"]
