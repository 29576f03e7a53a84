"""The words by which members are named, and what is asked of their number."""

from __future__ import annotations

import pytest

from virtquorum.errors import HostError
from virtquorum.host.patch.guards import fewer
from virtquorum.host.patch.words import Place, place_of
from virtquorum.xml.domain import Domain


def place(*paths: str, threshold: int = 2) -> Place:
    members = "".join(
        f"<backingStore type='file'><format type='raw'/><source file='{one}'/></backingStore>"
        for one in paths
    )
    text = (
        f"<domain><devices><disk type='quorum' threshold='{threshold}'>"
        f"<driver name='qemu' type='quorum'/>{members}<target dev='vda'/></disk></devices></domain>"
    )
    return place_of(Domain.from_text(text), "vda", "web")


def test_the_name_of_the_file_will_do_where_one_member_has_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = place("/a/x.raw", "/b/x.raw", "/b/y.raw")
    assert (found.member("y.raw"), found.member("/b/x.raw"), found.member("1")) == (2, 1, 1)
    with pytest.raises(HostError, match=r"has several members 'x\.raw'; name one"):
        found.member("x.raw")
    for word in ("b/y.raw", "raw", ""):
        with pytest.raises(HostError, match="has no member"):
            found.member(word)
    # A path that is relative to where one is comes first.
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    assert place("/a/x.raw", f"{here}/x.raw").member("x.raw") == 1


def asked(members: int, left: int, threshold: int) -> list[str]:
    before, after = (
        place(*(f"/{one}" for one in range(count)), threshold=threshold).quorum
        for count in (members, left)
    )
    return list(fewer("vda", before, after))


def test_a_removal_that_leaves_too_few_names_the_threshold_that_helps() -> None:
    assert asked(5, 4, 3) == []
    (one,) = asked(4, 3, 3)
    assert one.endswith("or be believed; with '--threshold 2' they would outvote it")
    (one,) = asked(3, 2, 2)
    assert one.endswith("or be believed")
