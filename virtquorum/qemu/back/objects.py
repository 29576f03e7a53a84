"""``-object`` and ``object-add``: what disks lean on, and the libvirt secrets that they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from virtquorum.errors import ArgumentError
from virtquorum.model.parts import Secret
from virtquorum.qemu.back.structs import StructReader
from virtquorum.qemu.objects import (
    OBJECTS,
    PrManagerHelper,
    QemuObject,
    ThrottleGroup,
    TlsCredsX509,
)
from virtquorum.qemu.objects import Secret as SecretData

if TYPE_CHECKING:
    from collections.abc import Mapping

    from virtquorum.model.location import Location
    from virtquorum.qemu.back.notes import Notes
    from virtquorum.qemu.back.place import Place

__all__ = ["Objects"]

#: Secrets whose ids say no UUID get one made of the id in this namespace.
_NAMESPACE: Final = UUID("b5f39c0e-7a55-5a1d-9d0c-6f1f0f6d6d15")
_OURS: Final = re.compile(r"vq-secret-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_USAGE: Final = re.compile(r"vq-usage-[a-z]+-((?:[0-9a-f]{2})+)")
_OLD_LIMIT: Final = re.compile(r"x-((?:bps|iops)-.*)")


class Objects:
    """The objects by their ids; ``known`` are those that a disk can lean on, typed."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.known: dict[str, QemuObject] = {}
        #: Objects that are not there because of a mistake, where one goes on after it.
        self.broken: dict[str, ArgumentError] = {}
        self._places: dict[str, Place] = {}
        #: Secrets that hold their value in the argument, which is not kept.
        self._with_value: set[str] = set()

    def add(self, tree: Mapping[str, Any], place: Place, *, strict: bool) -> None:
        """Take an object; raises ArgumentError."""
        kind, id = tree.get("qom-type"), tree.get("id")
        if not isinstance(kind, str) or not isinstance(id, str) or not id:
            missing = "qom-type" if not isinstance(kind, str) else "id"
            raise ArgumentError(f"the object has no '{missing}'", place=place)
        if id in self._places:
            raise ArgumentError(
                f"the object '{id}' is there already: {self._places[id].word}", place=place
            )
        self._places[id] = place
        own = {key: value for key, value in tree.items() if key != "qom-type"}
        if kind == "secret" and "data" in own:
            self._with_value.add(id)
            return
        if kind not in OBJECTS or (kind == "secret" and "file" not in own):
            return
        if kind == "throttle-group":
            own = _limits(own)
        own.pop("loaded", None)
        reader = StructReader(place, self.notes, strict=strict)
        made = reader.struct(OBJECTS[kind], own, "")
        assert isinstance(made, QemuObject)
        self.known[id] = made

    def remove(self, id: str, place: Place) -> None:
        """Take an object away again (object-del)."""
        if id not in self._places:
            raise ArgumentError(f"there is no object '{id}'", place=place)
        del self._places[id]
        self.known.pop(id, None)
        self._with_value.discard(id)

    # What disks lean on

    def secret(self, id: str, type: str, place: Location) -> Secret:
        """The libvirt secret that an object stands for, with a remark where it has to be made."""
        if found := _OURS.fullmatch(id):
            return Secret(type=type, uuid=found[1])
        if (found := _USAGE.fullmatch(id)) and (usage := _text(found[1])) is not None:
            return Secret(type=type, usage=usage)
        uuid = str(uuid5(_NAMESPACE, id))
        if id in self.notes.passwords:
            what = f"the password of {self.notes.passwords[id]}, which stood in an address,"
        else:
            what = f"the secret '{id}', {self._whence(id)},"
        self.notes.remark(
            place,
            f"{what} is to be a libvirt secret of type '{type}' with the UUID {uuid}: define it "
            "with 'virsh secret-define' and give it its value with 'virsh secret-set-value'",
        )
        return Secret(type=type, uuid=uuid)

    def _whence(self, id: str) -> str:
        one = self.known.get(id)
        if isinstance(one, SecretData):
            coded = ", in base64" if one.format == "base64" else ""
            return f"whose value is in '{one.file}'{coded}"
        if id in self._with_value:
            return "whose value stands in the arguments and is not repeated here"
        return "which is not among the arguments"

    def tls(self, id: str, place: Location) -> None:
        """Say where the certificates were, which libvirt's qemu.conf says for all disks."""
        one = self.known.get(id)
        if isinstance(one, TlsCredsX509):
            self.notes.remark(
                place,
                f"the certificates of '{id}' are in '{one.dir}'; libvirt takes those that "
                "nbd_tls_x509_cert_dir in its qemu.conf names",
            ) if not id.startswith("vq-tls") else None
            if one.passwordid is not None:
                self.notes.remark(
                    place,
                    f"the key of '{id}' is opened by the secret '{one.passwordid}', "
                    f"{self._whence(one.passwordid)}; libvirt takes the secret that "
                    "nbd_tls_x509_secret_uuid in its qemu.conf names",
                )
            return
        self.notes.remark(
            place, f"the TLS credentials '{id}' are none of X.509 among the arguments"
        )

    def helper(self, id: str, place: Location) -> str:
        """The socket of a qemu-pr-helper; raises ArgumentError where the object is none."""
        one = self.known.get(id)
        if isinstance(one, PrManagerHelper):
            return one.path
        raise self.broken.get(id) or ArgumentError(
            f"there is no pr-manager-helper '{id}'",
            place=place,
            remedy=f"it is -object pr-manager-helper,id={id},path=SOCKET",
        )

    def group(self, id: str, place: Location) -> ThrottleGroup:
        """A throttle-group; raises ArgumentError where there is none."""
        one = self.known.get(id)
        if isinstance(one, ThrottleGroup):
            return one
        raise self.broken.get(id) or ArgumentError(
            f"there is no throttle-group '{id}'",
            place=place,
            remedy=f"it is -object throttle-group,id={id},limits.iops-total=…",
        )


def _limits(own: dict[str, Any]) -> dict[str, Any]:
    """A throttle-group whose limits may be spelled as QEMU 2.11 had them, 'x-iops-total'."""
    old = {key: value for key, value in own.items() if _OLD_LIMIT.fullmatch(key)}
    if not old:
        return own
    limits = {key.removeprefix("x-"): value for key, value in old.items()}
    rest = {key: value for key, value in own.items() if key not in old}
    return {**rest, "limits": {**limits, **rest.get("limits", {})}}


def _text(digits: str) -> str | None:
    try:
        return bytes.fromhex(digits).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None
