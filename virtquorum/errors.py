"""Every exception that virtquorum raises on purpose.

    VirtquorumError
     ├── FileError            something is wrong with a file or in it
     │    ├── InputError           it cannot be read, or is not the XML it should be
     │    │    ├── UnreadableError      it cannot be opened or read
     │    │    ├── NotWellFormedError   its bytes are no XML that virtquorum reads
     │    │    ├── LimitError           it is larger or deeper than the bound
     │    │    ├── ArgumentError        an argument for QEMU that cannot be read
     │    │    └── WrongRootError       well-formed, but no <domain>, <disk>, ...
     │    ├── LoweredError         a lowered domain that is not as virtquorum wrote it
     │    └── ConfigurationError   it is a configuration or a baseline; a UsageError, too
     ├── UsageError           a command line or configuration that cannot be followed
     ├── EditError            an edit that this document cannot take
     ├── HostError            what libvirt or another program on the host says no to
     │    ├── LibvirtError         libvirt's own words, with its number of the error
     │    └── MonitorError         QEMU's own words to a monitor command
     └── DiskError            what cannot be done with a disk
          ├── ImageError           an image that cannot be made
          └── TranslationError     a disk that has no translation into QEMU arguments

An exception stops the work; what is merely wrong in a document is a finding,
which is data.  The fields hold the facts, and only ``__str__`` puts them into
words, on one line: ``FILE:LINE:COLUMN: what is wrong; what to do``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from virtquorum.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.location import Location

__all__ = [
    "ArgumentError",
    "ConfigurationError",
    "DiskError",
    "EditError",
    "FileError",
    "HostError",
    "ImageError",
    "InputError",
    "LibvirtError",
    "LimitError",
    "LoweredError",
    "MonitorError",
    "NotWellFormedError",
    "TranslationError",
    "UnreadableError",
    "UsageError",
    "VirtquorumError",
    "WrongRootError",
]


class VirtquorumError(Exception):
    """The root of virtquorum's exceptions."""

    def __reduce__(self) -> tuple[object, ...]:
        # By its fields: __init__ takes them by keyword, which pickle does not do by itself.
        return _remade, (type(self), self.args), self.__dict__


def _remade(cls: type[VirtquorumError], args: tuple[object, ...]) -> VirtquorumError:
    error = cls.__new__(cls)
    error.args = args
    return error


class UsageError(VirtquorumError):
    """A command line or a configuration that cannot be followed; the message says why."""


class FileError(VirtquorumError):
    """Something is wrong with a file or with what is in it.

    ``file`` is the name under which the file was given; ``line`` and
    ``column`` count from 1 (columns in characters) and are None where the
    trouble has no place in the text; ``remedy`` says the way out.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str,
        line: int | None = None,
        column: int | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.remedy = remedy

    def __str__(self) -> str:
        place = ":".join(str(one) for one in (self.file, self.line, self.column) if one is not None)
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{place}: {self.message}{remedy}")


class InputError(FileError):
    """The input cannot be read, or is not the XML that it should be."""


class ConfigurationError(FileError, UsageError):
    """A configuration file or a baseline that makes no sense."""


class LoweredError(FileError):
    """A lowered domain that is not as virtquorum wrote it: changed by hand, or by a newer one."""


class UnreadableError(InputError):
    """The file cannot be opened or read."""

    @classmethod
    def of(cls, error: OSError, file: str) -> UnreadableError:
        """What the system says when it does not give a file or directory."""
        reason = (error.strerror or str(error)).lower()
        remedies = {
            "no such file or directory": "look at the name, or pipe the XML in and name -",
            "permission denied": "run it as a user who may read the file",
        }
        return cls(f"cannot be read: {reason}", file=file, remedy=remedies.get(reason))


class NotWellFormedError(InputError):
    """The bytes are no XML that virtquorum reads."""


class LimitError(InputError):
    """The input is larger or deeper than the bound, which the message names."""


class ArgumentError(InputError):
    """An argument or a command for QEMU that cannot be read, or that QEMU would refuse.

    ``place`` says which one it is: 'argument 4 (-drive)'.
    """

    def __init__(self, message: str, *, place: Location, remedy: str | None = None) -> None:
        super().__init__(
            message, file=place.file, line=place.line, column=place.column, remedy=remedy
        )
        self.place = place

    def __str__(self) -> str:
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{self.place}: {self.message}{remedy}")


class WrongRootError(InputError):
    """The XML is well-formed, but it holds no domain and no disk.

    ``root`` is the name of the root element.
    """

    def __init__(
        self, message: str, *, root: str, file: str, line: int, column: int, remedy: str | None
    ) -> None:
        super().__init__(message, file=file, line=line, column=column, remedy=remedy)
        self.root = root


class EditError(VirtquorumError):
    """An edit that this document cannot take; nothing was changed."""


class HostError(VirtquorumError):
    """What libvirt, or another program on the host, says no to; the message has its words."""

    def __str__(self) -> str:
        return printable(super().__str__())


class LibvirtError(HostError):
    """What a running libvirt says no to.

    ``what`` is what it was asked about, None where its words say it; ``code``
    is libvirt's number of the error (virErrorNumber) and ``text`` its words.
    """

    def __init__(
        self, what: str | None, *, code: int | None, text: str, remedy: str | None = None
    ) -> None:
        super().__init__(what, text)
        self.what = what
        self.code = code
        self.text = text
        self.remedy = remedy

    def __str__(self) -> str:
        what = f"{self.what}: " if self.what else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{what}libvirt says: {self.text}{remedy}")


class MonitorError(HostError):
    """What a running QEMU says no to.

    ``command`` is the monitor command as it was sent; ``kind`` is QEMU's
    class of the error ('GenericError', 'CommandNotFound') and ``text`` its words.
    """

    def __init__(self, command: Mapping[str, object], *, kind: str, text: str) -> None:
        super().__init__(command, text)
        self.command = command
        self.kind = kind
        self.text = text

    def __str__(self) -> str:
        return printable(f"QEMU says to '{self.command.get('execute')}': {self.text}")


class DiskError(VirtquorumError):
    """What cannot be done with a disk, or with a part of one.

    ``location`` is the place of the part in the document, ``disk`` the disk's
    target ('vda'), ``path`` an image's own; each None where there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        location: Location | None = None,
        disk: str | None = None,
        path: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.disk = disk
        self.path = path
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.location}: " if self.location is not None else ""
        disk = f"disk '{self.disk}': " if self.disk else ""
        path = f"image '{self.path}': " if self.path else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return printable(f"{place}{disk}{path}{self.message}{remedy}")


class ImageError(DiskError):
    """An image of a disk that cannot be made, or cannot be looked at."""


class TranslationError(DiskError):
    """A disk, or a part of one, that has no translation into QEMU arguments."""
