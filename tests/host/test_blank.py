"""Images that are made for a change, in a directory that somebody else may write to as well."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from virtquorum.host import blank
from virtquorum.host.change import Plan, apply
from virtquorum.images.make import make
from virtquorum.xml.domain import Domain

if TYPE_CHECKING:
    from pathlib import Path

_QEMU = (12345, 54321)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_is_put_in_the_place_of_an_image_is_not_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, image = tmp_path / "victim", tmp_path / "image"
    victim.touch()

    def made(*arguments: Any) -> list[str]:
        left = make(*arguments)
        status = image.stat()
        assert (status.st_uid, status.st_gid) == _QEMU
        image.rename(tmp_path / "taken-away")
        image.symlink_to(victim)
        return left

    monkeypatch.setattr(blank, "make", made)
    document = Domain.from_text(
        "<disk type='quorum' threshold='1'><driver name='qemu' type='quorum'/>"
        f"<backingStore type='file'><format type='raw'/><source file='{image}'/></backingStore>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    step = blank.MakeImages(document, document.disks[0], 1 << 20, _QEMU)
    apply(Plan(title="make them", domain="web", steps=(step,)))
    assert victim.stat().st_uid == os.geteuid()
    assert (tmp_path / "taken-away").stat().st_uid == _QEMU[0]
