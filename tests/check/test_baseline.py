"""Known findings: written, read again, counted, and independent of lines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from virtquorum.check.baseline import Baseline, Entry
from virtquorum.check.finding import Finding
from virtquorum.errors import ConfigurationError
from virtquorum.schema_files import schema_directory

SCHEMA = json.loads((Path(schema_directory()) / "baseline.schema.json").read_text())


def finding(file: str | Path, message: str = "wrong", *, line: int = 1, **more: Any) -> Finding:
    return Finding(
        file=str(file), line=line, column=1, end_line=line, end_column=9, message=message,
        **{"rule": "VQ105", "path": "devices.disk[0]", **more},
    )  # fmt: skip


def written(path: Path, findings: list[Finding]) -> Baseline:
    path.write_text(Baseline.of(findings, str(path.parent)).text)
    return Baseline.read(str(path))


def test_the_text_is_sorted_and_counted(tmp_path: Path) -> None:
    baseline = Baseline.of(
        [
            finding(tmp_path / "b.xml"),
            finding(tmp_path / "a" / "x.xml", line=4),
            finding(tmp_path / "b.xml", line=7),
            finding(tmp_path / "b.xml", rule="VQ101"),
        ],
        str(tmp_path),
    )
    value = json.loads(baseline.text)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(value)
    common = {"element": "devices.disk[0]", "message": "wrong"}
    assert value == {
        "version": 1,
        "findings": [
            {"path": "a/x.xml", "rule": "VQ105", **common, "count": 1},
            {"path": "b.xml", "rule": "VQ101", **common, "count": 1},
            {"path": "b.xml", "rule": "VQ105", **common, "count": 2},
        ],
    }
    assert baseline.text.endswith("}\n")


def test_each_entry_keeps_as_many_as_it_counts(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    baseline = written(tmp_path / "known.json", [finding(file, line=1), finding(file, line=5)])
    assert [baseline.keeps(finding(file, line=line)) for line in (8, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    "other",
    [{"rule": "VQ106"}, {"path": "devices.disk[1]"}, {"message": "else"}, {"file": "b.xml"}],
)
def test_another_finding_is_not_known(tmp_path: Path, other: dict[str, str]) -> None:
    file = tmp_path / "a.xml"
    baseline = written(tmp_path / "known.json", [finding(file)])
    fields: dict[str, Any] = {"file": file, **other}
    fields["file"] = tmp_path / fields["file"]
    assert not baseline.keeps(finding(**fields))
    assert baseline.keeps(finding(file))


@pytest.mark.parametrize(
    ("known", "now", "same"),
    [
        ("as on line 12", "as on line 99", True),
        ("see web.xml:12:5", "see web.xml:3:41", True),
        ("lines 3 and line 4", "lines 5 and line 6", True),
        ("port 10809", "port 10810", False),
        ("host example.org:10809", "host example.org:10810", False),
        ("threshold 3", "threshold 4", False),
    ],
)
def test_lines_in_messages_do_not_count(tmp_path: Path, known: str, now: str, same: bool) -> None:
    file = tmp_path / "a.xml"
    baseline = written(tmp_path / "known.json", [finding(file, known)])
    assert baseline.stale([str(file)])[0].message == known
    assert baseline.keeps(finding(file, now)) is same


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    names = ["a.xml", "./a.xml", "sub/../a.xml", str(tmp_path / "a.xml")]
    baseline = written(tmp_path / "sub" / "known.json", [finding(name) for name in names])
    assert baseline.counts == {Entry("../a.xml", "VQ105", "devices.disk[0]", "wrong"): 4}
    monkeypatch.chdir(tmp_path / "sub")
    assert Baseline.read("known.json").keeps(finding("../a.xml"))


def test_standard_input_has_no_directory(tmp_path: Path) -> None:
    baseline = Baseline.of([finding("<stdin>")], str(tmp_path))
    assert [one.path for one in baseline.counts] == ["<stdin>"]


def test_stale_entries(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("a.xml", "b.xml", "c.xml"))
    baseline = written(
        tmp_path / "known.json", [finding(a), finding(b), finding(b, "more"), finding(c)]
    )
    assert baseline.keeps(finding(b))
    assert [(one.path, one.message) for one in baseline.stale([str(a), str(b)])] == [
        ("a.xml", "wrong"),
        ("b.xml", "more"),
    ]
    assert baseline.stale([]) == []


def test_an_entry_that_counts_too_many_is_stale(tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    baseline = written(tmp_path / "known.json", [finding(file), finding(file)])
    assert baseline.keeps(finding(file))
    assert len(baseline.stale([str(file)])) == 1


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_what_was_written_is_known(texts: list[tuple[str, str]]) -> None:
    findings = [finding("a.xml", message, path=path) for message, path in texts]
    text = Baseline.of(findings, ".").text
    entries = json.loads(text)["findings"]
    baseline = Baseline({}, ".")
    assert sum(one["count"] for one in entries) == len(findings)
    again = Baseline(
        {Entry(*[one[key] for key in Entry._fields]): one["count"] for one in entries}, "."
    )
    assert all(again.keeps(one) for one in findings)
    assert again.stale(["a.xml"]) == []
    assert not any(baseline.keeps(one) for one in findings)


def test_a_file_name_that_is_no_unicode(tmp_path: Path) -> None:
    file = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b.xml")
    baseline = written(tmp_path / "known.json", [finding(file)])
    assert baseline.keeps(finding(file))


ENTRY = {"path": "a", "rule": "VQ105", "element": "", "message": "m", "count": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: the baseline is not JSON: expecting value; write it anew with"),
        ('{\n  "version": 1,\n}', "the baseline is not JSON: "),
        ("[" * 100_000, "the baseline is not JSON: cannot be read"),
        ("[" + "9" * 5000 + "]", "the baseline is not JSON: cannot be read"),
        ("[]", "this is no baseline: an object with 'version' and 'findings'"),
        ('{"version": 1, "findings": {}}', "this is no baseline"),
        ('{"version": 2, "findings": []}', "version 2 of a baseline is unknown; 1 is"),
        ('{"findings": []}', "version None of a baseline is unknown"),
        ('{"version": 1, "findings": [1]}', "findings[0] is no object"),
        *(
            (json.dumps({"version": 1, "findings": [ENTRY, change]}), message)
            for change, message in [
                ({**ENTRY, "line": 1}, "findings[1] has 'line'; known are path, rule, element"),
                ({**ENTRY, "rule": 5}, "findings[1].rule is no text"),
                ({"path": "a"}, "findings[1].rule is missing"),
                ({**ENTRY, "count": 0}, "findings[1].count is no number from 1 on"),
                ({**ENTRY, "count": True}, "findings[1].count is no number from 1 on"),
                ({**ENTRY, "count": 1.5}, "findings[1].count is no number from 1 on"),
            ]
        ),
    ],
)
def test_a_broken_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Baseline.read(str(path))
    assert str(caught.value).startswith(f"{path}:")
    assert message in str(caught.value)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return
    assert not Draft202012Validator(SCHEMA).is_valid(value), "the schema refuses it as well"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    with pytest.raises(ConfigurationError, match=r"no such baseline; --update-baseline writes it"):
        Baseline.read(str(path))
    with pytest.raises(ConfigurationError, match="cannot be read: is a directory"):
        Baseline.read(str(tmp_path))
    path.write_bytes(b'{"\xff')
    with pytest.raises(ConfigurationError, match="not JSON: it is not UTF-8"):
        Baseline.read(str(path))
