"""What AppArmor and SELinux keep from QEMU, as far as libvirt says that they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from virtquorum.check.finding import Severity
from virtquorum.host.checks.result import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from virtquorum.host.checks.openings import Opening
    from virtquorum.host.checks.process import QemuProcess

__all__ = ["confined_results"]

_OFF: Final = "switch it off for this domain: <seclabel type='none' model='{model}'/>"
_MODELS: Final = {
    "apparmor": (
        "libvirt confines this QEMU by AppArmor, to the files that it knows of; members of quorums "
        "are not among them",
        "give QEMU the images, as lines '\"{path}\" rwk,' in "
        "/etc/apparmor.d/local/abstractions/libvirt-qemu",
    ),
    "selinux": (
        "libvirt confines this QEMU by SELinux, to the files that it labels; members of quorums "
        "are not among them",
        "label the images for any guest: chcon -t svirt_image_t -l s0 '{path}'",
    ),
}


def confined_results(found: Sequence[Opening], process: QemuProcess) -> Iterator[CheckResult]:
    """One warning for each model that is at work: what it allows is not looked at."""
    files = [one for one in found if one.kind in ("file", "device")]
    if not files:
        return
    for model in process.models:
        if model not in _MODELS:
            continue
        message, way = _MODELS[model]
        yield CheckResult(
            severity=Severity.WARNING,
            kind="confined",
            message=f"{message}; whether it lets QEMU open '{files[0].path}'"
            + (f" and {len(files) - 1} more" if len(files) > 1 else "")
            + " was not looked at",
            ways=(way.format(path=files[0].path), _OFF.format(model=model)),
        )
