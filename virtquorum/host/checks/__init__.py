"""What would go wrong when QEMU opens the images of quorum disks, said before it does.

libvirt looks after the files that it knows of: it sees whether they are there,
gives them to QEMU's user, and shows QEMU their devices.  It knows nothing of
the images that only the command line or the monitor names.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from virtquorum.check.finding import Severity
from virtquorum.host.checks.access import access_results
from virtquorum.host.checks.configuration import Configuration
from virtquorum.host.checks.confined import confined_results
from virtquorum.host.checks.contents import contents
from virtquorum.host.checks.devices import device_results, known_paths
from virtquorum.host.checks.in_use import Use, domains_in_use, use_results
from virtquorum.host.checks.openings import Opening, openings
from virtquorum.host.checks.process import QemuProcess, process_of, where
from virtquorum.host.checks.result import CheckResult, refused
from virtquorum.host.checks.twice import twice_results
from virtquorum.host.checks.volumes import Volumes, remote_results

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from virtquorum.host.checks.process import Where
    from virtquorum.stock.lower import Lowering
    from virtquorum.xml.domain import Domain

__all__ = ["CheckResult", "check_images", "refused"]


def check_images(
    connection: Any,
    domain: Domain,
    lowerings: Sequence[Lowering],
    *,
    own: Collection[str] = (),
    configuration: str | None = None,
) -> list[CheckResult]:
    """What a domain's QEMU would stumble over in the images of quorum disks.

    ``connection`` is a virConnect; ``domain`` is lowered or not: it is asked
    for labels and stock disks.  ``lowerings`` are the disks that are to be
    opened, all for a start, the new ones for a change; ``own`` are paths that
    this very domain has open.  ``configuration`` is libvirt's qemu.conf, where
    it is not in its usual place.

    What is wrong comes as results, errors first; nothing is changed.  Raises
    LibvirtError if libvirt does not answer.
    """
    place = where(connection)
    used = domains_in_use(connection, _uuid(domain))
    results: list[CheckResult] = []
    process = _process(connection, domain, place, results)
    disks = [one.disk for one in lowerings]
    volumes = Volumes(connection, remote=not place.here)
    seen = contents(disks, volumes, here=place.here)
    results += seen.results
    results += twice_results(disks, volumes, here=place.here)
    found = [*(one for lowering in lowerings for one in openings(lowering)), *seen.openings]
    if place.here:
        config = Configuration.of(configuration or place.configuration)
        results += _here(found, lowerings, process, place, domain, config)
        results += _of_others(domain.domain_name, lowerings, used)
    else:
        results += remote_results(disks, volumes, process, place.host)
    if process is not None:
        results += confined_results(found, process)
    results += use_results(found, used, own, here=place.here)
    return sorted(_once(results), key=lambda one: one.severity.rank)


def _process(
    connection: Any, domain: Domain, place: Where, results: list[CheckResult]
) -> QemuProcess | None:
    """Who QEMU will be; None, with a result that says so, where a label names nobody."""
    try:
        return process_of(connection, domain, place)
    except ValueError as error:
        severity = Severity.ERROR if place.here else Severity.NOTE
        results.append(CheckResult(severity=severity, kind="user", message=str(error)))
        return None


def _here(
    found: Sequence[Opening],
    lowerings: Sequence[Lowering],
    process: QemuProcess | None,
    place: Where,
    domain: Domain,
    configuration: Configuration,
) -> Iterator[CheckResult]:
    """What is found out of the files of this machine."""
    if process is not None:
        placeholders = [Opening(one.disk.name, one.file, "file", "r") for one in lowerings]
        given = process.relabels and configuration.dynamic_ownership
        yield from access_results(found, placeholders, process, given=given)
    if place.privileged:
        yield from device_results(found, configuration, known_paths(domain))


def _of_others(
    name: str | None, lowerings: Sequence[Lowering], used: Mapping[str, Use]
) -> Iterator[CheckResult]:
    """Placeholders that a running domain of another name has, whose guard keeps others away."""
    for one in lowerings:
        use = used.get(os.path.realpath(one.file))
        if use is not None and use.domain != name:
            yield CheckResult(
                severity=Severity.ERROR,
                kind="placeholder",
                disk=one.disk.name,
                path=one.file,
                message=f"the placeholder is that of the running domain '{use.domain}'",
                ways=(
                    "define this one anew, which gives it its own: 'virtquorum dumpxml --inactive "
                    "--security-info DOMAIN | virtquorum define -'",
                    f"switch that off: 'virsh shutdown {use.domain}'",
                ),
            )


def _uuid(domain: Domain) -> str | None:
    """A domain's UUID as libvirt writes it."""
    for one in domain.document.root.elements("uuid"):
        return one.text.strip().lower()
    return None


def _once(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Each result once: an image may be opened in two ways."""
    return list({str(one): one for one in results}.values())
