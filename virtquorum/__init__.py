"""QEMU's quorum disks for the users of libvirt."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from virtquorum.check.finding import Finding
    from virtquorum.xml.domain import Domain

__all__ = ["__version__", "validate"]

__version__ = "0.1.0"


def validate(
    document: str | bytes | Domain,
    *,
    name: str | None = None,
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    libvirt_schemas: str | None = None,
) -> list[Finding]:
    """Check a libvirt document as ``virtquorum validate`` does; its findings in order of place.

    ``document`` is XML as text or as the bytes of a file, or a Domain;
    ``name`` is what findings call it.  ``select`` and ``ignore`` name rules
    (codes, their beginnings, names).  ``libvirt_schemas`` is the directory
    of libvirt's grammars; unless it is given they are looked for where
    distributions put them, and where there are none only disks are checked.
    What cannot be read is a finding, too (VQ001 to VQ004).  No file but the
    grammars is read, no process started, no thread held up.

    Raises UsageError for a rule that does not exist, and InputError for a
    directory without grammars.
    """
    from virtquorum.check.call import check

    return check(document, name, select, ignore, libvirt_schemas)
