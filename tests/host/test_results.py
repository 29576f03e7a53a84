"""What is so of several images is said once."""

from __future__ import annotations

from virtquorum.check.finding import Severity
from virtquorum.host.checks.result import CheckResult, told


def result(path: str | None, *ways: str, disk: str = "vda", message: str = "is bad") -> CheckResult:
    return CheckResult(
        severity=Severity.ERROR, kind="access", disk=disk, path=path, message=message, ways=ways
    )


def test_images_of_one_cause_are_said_together() -> None:
    found = [
        result("/a b", "chown q '/a b' and chmod u+w '/a b'", "move it"),
        result("/c", "look"),
        result("/d", "chown q /d and chmod u+w /d", "move it"),
        result("/e", "look", disk="vdb"),
        result("/f", "look", message="is worse"),
    ]
    assert told(found) == [
        (
            Severity.ERROR,
            "disk 'vda': images '/a b' '/d', each: is bad; chown q '/a b' /d and chmod u+w "
            "'/a b' /d, or move it",
        ),
        *((Severity.ERROR, str(found[at])) for at in (1, 3, 4)),
    ]


def test_one_image_is_said_as_it_is() -> None:
    found = [result("/a", "look at /a"), result("/a", "look at /a"), result(None, "look")]
    assert told(found) == [(Severity.ERROR, str(found[at])) for at in (0, 2)]
