"""What ``show --json`` prints is what its schema says, for every document at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.programs import run
from virtquorum.errors import InputError
from virtquorum.json_text import json_text
from virtquorum.model.disk import Driver
from virtquorum.report.disks_json import VERSION, file_json
from virtquorum.schema_files import schema_directory
from virtquorum.xml.domain import Domain
from virtquorum.xml.plan import fields_of

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads(
    (Path(schema_directory()) / "show.schema.json").read_text("utf-8")
)
DOCUMENTS = sorted(
    path
    for folder in ("samples", "tests/corpus")
    for path in (ROOT / folder).rglob("*.xml")
    if "inputs" not in path.parts
)

#: Disks with everything missing, doubled or misspelled.
ODD = {
    "empty": "<disk/>",
    "no members": "<disk type='quorum'/>",
    "threshold no number": "<disk type='quorum' threshold='two'/>",
    "threshold huge": "<disk type='quorum' threshold='99999999999999999999'/>",
    "threshold empty": "<disk type='quorum' threshold=''/>",
    "threshold element": "<disk type='quorum'><threshold value='2'/></disk>",
    "threshold element, no number": "<disk type='quorum'><threshold value='x'/></disk>",
    "terminators": "<disk type='quorum' threshold='1'><backingStore/><backingStore/></disk>",
    "unknown type": "<disk type='martian'><source canal='3'/></disk>",
    "unknown type, empty": "<disk type='martian'/>",
    "unknown protocol": "<disk type='network'><source protocol='pigeon' name='p'/></disk>",
    "no protocol": "<disk type='network'><source name='p'/></disk>",
    "switches": "<disk><driver copy_on_read='maybe' iommu='1' queues='many' cache='x'/></disk>",
    "policy": "<disk type='quorum' threshold='-1'><driver type='qcow9' blkverify='x' "
    "rewrite_corrupted='' read_pattern='lifo'/></disk>",
    "boot": "<disk><boot order='first'/><alias name=''/><target/><serial/></disk>",
    "index": "<disk><source file='/a' index='z'/></disk>",
    "metadata cache": "<disk><driver type='qcow2'><metadata_cache><max_size unit='KiB'>9"
    "</max_size></metadata_cache></driver></disk>",
    "auth": "<disk><auth username='u'><secret type='ceph' usage='x'/></auth>"
    "<encryption format='luks'><secret type='passphrase' uuid='y'/></encryption></disk>",
    "ports": "<disk type='network'><source protocol='nbd' tls='so'><host port='x'/>"
    "<host transport='unix'/><host/></source></disk>",
    "signs": "<disk><source file='&#x9b;31m&#x202e;&#10;日本'/></disk>",
    "chain": "<disk type='file'><source file='/a'/><backingStore type='quorum'>"
    "<format type='raw'/><backingStore type='file'><source/><backingStore/></backingStore>"
    "</backingStore></disk>",
}


def errors(value: object) -> list[str]:
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(SCHEMA).iter_errors(value)
    ]


def shown(domain: Domain) -> dict[str, Any]:
    text = json_text({"version": VERSION, "files": [file_json(domain)], "errors": []}, indent=2)
    value: dict[str, Any] = json.loads(text)
    assert errors(value) == []
    return value["files"][0]  # type: ignore[no-any-return]


def test_the_schema_is_one_and_says_what_everything_is() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    rest: list[tuple[str, Any]] = [("$", SCHEMA), *SCHEMA["$defs"].items()]
    while rest:
        name, one = rest.pop()
        assert one.get("description"), f"{name} has no description"
        if one.get("type") == "object" and "properties" in one:
            assert one["additionalProperties"] is False
            rest += [(f"{name}.{key}", below) for key, below in one["properties"].items()]


def test_the_schema_knows_every_field_of_the_driver() -> None:
    assert set(SCHEMA["$defs"]["disk"]["properties"]["driver"]["properties"]) == set(
        fields_of(Driver)
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_document_is_shown_as_the_schema_says(path: Path) -> None:
    try:
        domain = Domain.from_bytes(path.read_bytes(), str(path))
    except InputError:
        assert "mistakes" in path.parts, "only a sample of a mistake may be no XML"
        return
    assert len(shown(domain)["disks"]) == len(domain.disks)


@pytest.mark.parametrize("disk", ODD.values(), ids=ODD)
def test_odd_documents_are_shown_as_the_schema_says(disk: str) -> None:
    shown(Domain.from_text(disk))
    shown(Domain.from_text(f"<domain><devices>{disk}</devices></domain>"))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"more": 1},
        {"files": [{"path": "x"}]},
        {"files": None},
        {"errors": [{"path": "x"}]},
    ],
)
def test_the_schema_refuses_what_is_not_printed(change: dict[str, object]) -> None:
    assert errors({"version": VERSION, "files": [], "errors": [], **change})


def test_what_a_program_needs_is_there() -> None:
    disk = shown(
        Domain.from_text(
            """<disk type='quorum' threshold='2' device='disk'>
  <driver name='qemu' type='qcow2' cache='none' rewrite_corrupted='on'/>
  <backingStore type='file' nodename='near'>
    <format type='qcow2'/>
    <source file='/a'><slices><slice type='storage' offset='1' size='2'/></slices></source>
    <backingStore type='quorum' threshold='1'>
      <format type='quorum'/>
      <backingStore type='network' index='3'>
        <format type='raw'/>
        <source protocol='rbd' name='p/i'>
          <host name='h' port='1'/>
          <auth username='u'><secret type='ceph' uuid='s'/></auth>
          <encryption format='luks'><secret type='passphrase' usage='t'/></encryption>
        </source>
        <backingStore/>
      </backingStore>
    </backingStore>
  </backingStore>
  <target dev='vda' bus='virtio'/>
  <boot order='1'/>
</disk>
"""
        )
    )["disks"][0]
    assert (disk["target"], disk["bus"], disk["boot_order"]) == ("vda", "virtio", 1)
    assert disk["driver"] == {"name": "qemu", "cache": "none"}
    top = disk["image"]
    assert "source" not in top
    assert top["quorum"]["format_above"] == "qcow2"
    assert (top["quorum"]["threshold"], top["quorum"]["rewrite_corrupted"]) == (2, True)
    (member,) = top["quorum"]["members"]
    assert (member["path"], member["line"], member["column"]) == ("disk.backingStore[0]", 3, 3)
    assert member["nodename"] == "near"
    assert member["source"] == {
        "file": "/a", "slices": [{"type": "storage", "offset": 1, "size": 2}],
    }  # fmt: skip
    inner = member["backing"]
    assert inner["quorum"]["format_above"] is None
    (leaf,) = inner["quorum"]["members"]
    assert (leaf["type"], leaf["protocol"], leaf["index"]) == ("network", "rbd", 3)
    assert leaf["where"] == "rbd://h:1/p/i"
    assert leaf["source"] == {
        "name": "p/i", "hosts": [{"name": "h", "port": 1}],
        "auth": {"username": "u", "secret": {"type": "ceph", "uuid": "s"}},
        "encryption": {"format": "luks", "secrets": [{"type": "passphrase", "usage": "t"}]},
    }  # fmt: skip
    assert leaf["backing"] == "end"


def test_a_chain_of_two_hundred_and_a_quorum_of_a_thousand() -> None:
    chain = "<backingStore type='file'><format type='raw'/><source file='/x'/>" * 200
    text = f"<disk><source file='/y'/>{chain}{'</backingStore>' * 200}</disk>"
    disks: Any = file_json(Domain.from_text(text))["disks"]
    depth = 0
    image = disks[0]["image"]
    while image["backing"] is not None:
        image = image["backing"]
        depth += 1
    assert depth == 200
    member = "<backingStore type='file'><source file='/x'/></backingStore>"
    many = shown(Domain.from_text(f"<disk type='quorum' threshold='1'>{member * 1000}</disk>"))
    assert len(many["disks"][0]["image"]["quorum"]["members"]) == 1000


def test_the_command_prints_what_the_schema_says(tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<domain>")
    done = run("show", "--json", ROOT / "samples" / "nested.xml", broken)
    value = json.loads(done.out)
    assert errors(value) == []
    assert done.code == 3
    assert [one["domain"] for one in value["files"]] == ["two-sites"]
    assert run("show", "--json", "-", input=b"<disk/>").code == 0
