"""Which grammar a document gets, where libvirt's is, and what is said if it is not as expected."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.check.grammars.disk_texts import LIBVIRT, MEMBER, QUORUM, SCHEMAS, TARGET
from tests.check.grammars.verdicts import compiled, in_domain, libxml2, missing
from virtquorum.check import grammar as module
from virtquorum.check.grammar import RELIED_ON, find_libvirt_schemas, grammar_for
from virtquorum.errors import InputError

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not here: {', '.join(missing())}")

#: A document of every root, as small as its grammar allows, or one that it finds incomplete.
ROOTS = [
    "capabilities", "cpu", "device", "disk", "domain", "domainCapabilities", "domainbackup",
    "domaincheckpoint", "domainsnapshot", "filter", "filterbinding", "interface", "network",
    "networkport", "pool", "secret", "storagepoolCapabilities", "volume",
]  # fmt: skip


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of libvirt's schemas to doctor."""
    directory = tmp_path / "doctored schemas é"
    shutil.copytree(LIBVIRT, directory)
    return directory


def doctor(directory: Path, old: str, new: str) -> None:
    for path in directory.glob("*.rng"):
        text = path.read_text("utf-8")
        path.write_text(text.replace(old, new), "utf-8")


def test_it_is_found_where_distributions_put_it() -> None:
    assert find_libvirt_schemas() == str(LIBVIRT)


def test_it_is_found_by_xdg_data_dirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "libvirt" / "schemas"
    directory.mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_DIRS", f"relative::/nowhere:{tmp_path}/")
    assert find_libvirt_schemas() == str(LIBVIRT)  # an empty directory is not it
    (directory / "domain.rng").write_text("<grammar/>")
    assert find_libvirt_schemas() == str(directory)


def test_it_may_be_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path))
    monkeypatch.setattr(module, "_DATA_DIRECTORIES", (str(tmp_path),))
    assert find_libvirt_schemas() is None


def test_the_given_directory_is_used(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy.parent)
    assert find_libvirt_schemas(copy.name) == str(copy)


@pytest.mark.parametrize("given", ["nowhere", "."])
def test_the_given_directory_must_hold_it(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find_libvirt_schemas(given)
    assert str(caught.value) == (
        f"{given}: no domain.rng in this directory, so libvirt's schemas are not here; give the"
        " directory that holds it, on most systems '/usr/share/libvirt/schemas', or leave"
        " --libvirt-schemas away"
    )


@pytest.mark.parametrize("root", ROOTS)
def test_the_grammar_of_a_root_starts_with_it(root: str) -> None:
    found = grammar_for(root, str(LIBVIRT))
    assert found is not None
    assert found.whole
    assert found.remark is None
    grammar = compiled(found)
    grammar.validate(etree.fromstring(f"<{root}/>"))
    own = [error.message for error in grammar.error_log]
    # Of another root libxml2 says which one it expects; of this one, what it lacks, if anything.
    assert not any(message.startswith("Expecting element") for message in own)
    grammar.validate(etree.fromstring("<elsewhere/>"))
    assert grammar.error_log


def test_every_grammar_of_libvirt_has_its_root() -> None:
    starting = {
        path.name for path in LIBVIRT.glob("*.rng") if re.search(rb"<start[ >]", path.read_bytes())
    }
    known = {*module._WITH_DOMAIN.values(), *module._PLAIN.values(), "domain.rng"}
    # A domain by another name, which occurs in snapshots only.
    assert known == starting - {"inactiveDomain.rng"}


@pytest.mark.parametrize("directory", [None, str(LIBVIRT)])
@pytest.mark.parametrize("root", ["domstatus", "svg", "networkstatus", "", "vol"])
def test_other_roots_have_none(root: str, directory: str | None) -> None:
    assert grammar_for(root, directory) is None


@pytest.mark.parametrize("root", ["domain", "disk", "domainsnapshot", "domaincheckpoint"])
def test_without_libvirt_disks_can_be_checked(root: str) -> None:
    found = grammar_for(root, None)
    assert found is not None
    assert found.path == str(SCHEMAS / "quorum-disk.rng")
    assert not found.whole
    assert found.remark is not None
    assert "libvirt0" in found.remark
    assert "libvirt-libs" in found.remark


@pytest.mark.parametrize("root", ["network", "pool", "domainbackup"])
def test_without_libvirt_other_documents_have_none(root: str) -> None:
    assert grammar_for(root, None) is None


def test_an_older_libvirt_may_lack_a_grammar(copy: Path) -> None:
    (copy / "networkport.rng").unlink()
    assert grammar_for("networkport", str(copy)) is None


@pytest.mark.parametrize("root", ["domain", "disk", "domainsnapshot", "domaincheckpoint"])
def test_the_grammar_works_from_any_directory(root: str, copy: Path) -> None:
    doctor(copy, "<value>virtio</value>", "<value>newer</value>")
    found = grammar_for(root, str(copy))
    assert found is not None
    assert Path(found.path).parent == copy
    bus = QUORUM[1].replace("bus='virtio'", "bus='newer'")
    texts = [bus, QUORUM[1]]
    if root != "disk":
        texts = [in_domain(one).replace("type='kvm'", "type='qemu'") for one in texts]
    if root not in ("disk", "domain"):
        texts = [f"<{root}>{one}</{root}>" for one in texts]
    assert libxml2(compiled(found), texts) == [True, False]


def test_a_quorum_disk_may_have_what_a_newer_libvirt_allows(copy: Path) -> None:
    newer = "<optional><attribute name='newer'/></optional>"
    element = "<optional><element name='newest'><empty/></element></optional>"
    doctor(copy, '<ref name="virtioOptions"/>', f'<ref name="virtioOptions"/>{newer}')
    doctor(copy, '<ref name="diskTarget"/>', f'<ref name="diskTarget"/>{element}')
    found = grammar_for("disk", str(copy))
    assert found is not None
    stock = f"<disk><driver newer='1'{{}}/><newest/>{TARGET}</disk>"
    quorum = stock.replace("<disk>", "<disk type='quorum' threshold='1'>").replace(
        "</disk>", f"{MEMBER}</disk>"
    )
    policy = " rewrite_corrupted='on'"
    texts = [stock.format(""), quorum.format(""), quorum.format(policy), stock.format(policy)]
    assert libxml2(compiled(found), texts) == [True, True, True, False]


@pytest.mark.parametrize("name", RELIED_ON)
@pytest.mark.parametrize("root", ["domain", "domaincheckpoint"])
def test_a_definition_that_is_gone_is_named(name: str, root: str, copy: Path) -> None:
    doctor(copy, f'"{name}"', f'"{name}New"')
    with pytest.raises(InputError) as caught:
        grammar_for(root, str(copy))
    assert str(caught.value) == (
        f"{copy}/domain.rng: libvirt's grammar defines no '{name}', which virtquorum's builds on:"
        " this libvirt is newer (or far older) than virtquorum knows; check the disks with"
        " '--grammar xsd' until then, and report it with the version of libvirt"
    )


def test_a_definition_may_move_to_another_file(copy: Path) -> None:
    (copy / "domaincommon.rng").rename(copy / "diskcommon.rng")
    doctor(copy, 'href="domaincommon.rng"', "href='diskcommon.rng'")
    found = grammar_for("domain", str(copy))
    assert found is not None
    assert libxml2(compiled(found), [in_domain(QUORUM[0])]) == [True]


def test_a_snapshot_that_takes_in_the_domain_otherwise_is_told(copy: Path) -> None:
    path = copy / "domaincheckpoint.rng"
    path.write_text(path.read_text().replace('"domain.rng"', '"domainoverrides.rng"'))
    with pytest.raises(InputError, match=r"no longer includes 'domain\.rng'"):
        grammar_for("domaincheckpoint", str(copy))


def test_the_names_relied_on_are_those_of_the_overlay() -> None:
    path = SCHEMAS / "domain-quorum.rng"
    named = etree.parse(str(path)).iter("{*}define", "{*}ref", "{*}parentRef")
    names = {one.get("name", "") for one in named}
    assert {name for name in names if not name.startswith("quorum")} == set(RELIED_ON)
    comment = path.read_text().partition("relied on:")[2].partition("-->")[0]
    assert set(re.findall(r"\w+", comment)) == set(RELIED_ON)


def test_nothing_is_overridden() -> None:
    tree = etree.parse(str(SCHEMAS / "domain-quorum.rng"))
    for include in tree.iter("{*}include"):
        assert not include.findall(".//{*}define")
    for define in tree.iter("{*}define"):
        if not define.get("name", "").startswith("quorum"):
            assert define.get("combine") == "choice"


def test_finding_a_grammar_loads_no_xml_library() -> None:
    code = (
        "import sys; from virtquorum.check.grammar import *;"
        f"grammar_for('domainsnapshot', {str(LIBVIRT)!r});"
        "print({'lxml', 'xmlschema', 'xml.etree'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "set()\n"
