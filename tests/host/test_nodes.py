"""Closing a node of which QEMU lets go a moment late."""

from __future__ import annotations

from typing import Any

import pytest

from virtquorum.errors import MonitorError
from virtquorum.host.nodes import close_node


class Slow:
    """A monitor that says no to the first ``refusals`` of blockdev-del, as of a node in use.

    ``looks`` is how often the node is seen to be used after that.
    """

    def __init__(self, refusals: int, looks: int) -> None:
        self.refusals = refusals
        self.looks = looks
        self.asked = 0

    def command(self, name: str, **arguments: Any) -> None:
        self.asked += 1
        if self.asked <= self.refusals:
            raise MonitorError({"execute": name}, kind="GenericError", text="is in use")

    def is_used(self, name: str) -> bool:
        self.looks -= 1
        return self.looks >= 0


@pytest.mark.parametrize("looks", [0, 2], ids=["free when looked at", "free later"])
def test_a_node_is_closed_once_it_is_free(looks: int) -> None:
    monitor: Any = Slow(1, looks)
    close_node(monitor, "vq-sdb")
    assert monitor.asked == 2


def test_what_cannot_be_closed_says_so() -> None:
    monitor: Any = Slow(2, 0)
    with pytest.raises(MonitorError, match="is in use"):
        close_node(monitor, "vq-sdb")
    assert monitor.asked == 2
