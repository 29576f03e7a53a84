"""A stock disk becomes the first member of a quorum, and a member becomes a stock disk again.

Each function plans the conversion of the running domain (``live``), of its
definition (``config``), or of both, which then change together or not at all;
without either the running domain is converted if it runs, and the definition
if not.  Nothing is done until the plan is applied::

    with virtquorum.host.connect() as host:
        new = Image(source=FileSource(file="/b/web.qcow2"), format="qcow2")
        plan = convert(host.domain("web"), "vda", [new], live=True, config=True)
        apply(plan)

A new member holds the disk's data before it votes.  A plan says in ``lost``
what cannot be undone and should be asked before.
"""

from __future__ import annotations

from virtquorum.host.change import apply
from virtquorum.host.convert.back import convert_back
from virtquorum.host.convert.planner import Options
from virtquorum.host.convert.there import convert

__all__ = ["Options", "apply", "convert", "convert_back"]
