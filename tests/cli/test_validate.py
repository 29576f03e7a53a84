"""``virtquorum validate``: what it reads, reports and ends with, option by option."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from tests.programs import as_nobody, environment, qemu_img, reachable, run

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
GOOD = SAMPLES / "three-qcow2.xml"
NOTED = SAMPLES / "mixed-gluster.xml"
LEGACY = SAMPLES / "legacy-threshold.xml"
NETWORK = "<network><name>one</name><bridge name='virbr0'/></network>\n"
MISSPELLED = GOOD.read_text().replace("type='quorum'/>", "type='quorum' cache='nonee'/>")


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own without a configuration, and not on GitHub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.xml"
    path.write_text(MISSPELLED)
    return path


def rules_of(*argv: str | Path, input: bytes = b"") -> list[str]:
    """The codes of what is found, in order."""
    told = json.loads(run("validate", "--format", "json", *argv, input=input).out)
    return [finding["rule"] for file in told["files"] for finding in file["findings"]]


def test_a_clean_file() -> None:
    told = run("validate", GOOD)
    assert (told.code, told.err) == (0, "")
    assert told.out == "1 file, no findings\n"


def test_a_mistake_has_its_column_and_the_way_out(wrong: Path) -> None:
    told = run("validate", wrong)
    line = MISSPELLED.splitlines().index(
        next(one for one in MISSPELLED.splitlines() if "nonee" in one)
    )
    column = MISSPELLED.splitlines()[line].index("cache=") + 1
    assert told.code == 1
    assert f"wrong.xml:{line + 1}:{column}: error[VQ010]" in told.out
    assert "did you mean 'none'?" in told.out
    assert "^^^^^^^^^^^^^" in told.out


def test_notes_alone_are_no_failure() -> None:
    told = run("validate", NOTED)
    assert told.code == 0
    assert "note[VQ209]" in told.out


def test_standard_input(wrong: Path) -> None:
    told = run("validate", "--stdin-filename", "web.xml", "-", input=wrong.read_bytes())
    assert told.code == 1
    assert told.out.startswith("web.xml:")
    assert run("validate", "-", input=GOOD.read_bytes()).code == 0
    assert run("validate", input=wrong.read_bytes()).out.startswith("<stdin>:")


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"", "VQ002"),
        (b"<domain>", "VQ002"),
        (b"\x7fELF\0", "VQ002"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><domain>&a;</domain>", "VQ002"),
        (b"<unknown/>", "VQ004"),
        (b"<domain>" + b"<a>" * 300 + b"</a>" * 300 + b"</domain>", "VQ003"),
    ],
)
def test_what_cannot_be_read_ends_with_3(raw: bytes, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.xml"
    path.write_bytes(raw)
    assert run("validate", path, GOOD).code == 3
    assert rules_of(path, GOOD) == [rule]
    assert run("validate", "-", input=raw).code == 3


def test_bounds(tmp_path: Path) -> None:
    path = tmp_path / "deep.xml"
    path.write_text("<domain><a><b/></a></domain>")
    assert rules_of("--max-depth", "2", path) == ["VQ003"]
    assert rules_of("--max-size", "10", path) == ["VQ003"]
    assert run("validate", "--max-depth", "2", path).code == 3
    assert "VQ003" not in rules_of("--max-depth", "3", "--max-size", "28", path)


def test_a_missing_file_and_an_unreadable_one(tmp_path: Path) -> None:
    told = run("validate", "nowhere.xml", GOOD)
    assert told.code == 3
    assert "error[VQ001] cannot be read: no such file or directory" in told.out
    closed = tmp_path / "closed.xml"
    closed.write_text(GOOD.read_text())
    closed.chmod(0)
    reachable(tmp_path)
    tmp_path.chmod(0o755)
    done = as_nobody("validate", str(closed))
    assert done.returncode == 3
    assert "permission denied" in done.stdout


def test_directories(tmp_path: Path, wrong: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "good.xml").write_text(GOOD.read_text())
    (below / "notes.txt").write_text("no XML\n")
    (tmp_path / "a" / "again.xml").symlink_to(below / "good.xml")
    (tmp_path / "network.xml").write_text(NETWORK)
    (tmp_path / "other.xml").write_text("<unknown/>\n")
    told = run("validate", tmp_path)
    assert told.code == 1
    assert "other.xml: passed over, its root element is <unknown>" in told.err
    assert told.out.endswith("3 files: 2 valid, 1 invalid; 1 error\n")
    # Once, however often it is named; and what is named is not passed over.
    assert run("validate", tmp_path, wrong, tmp_path).out.endswith(
        "3 files: 2 valid, 1 invalid; 1 error\n"
    )
    assert run("validate", tmp_path / "other.xml").code == 3


def test_nothing_to_check_is_never_a_pass(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    told = run("validate", "empty")
    assert told.code == 3
    assert "no domain XML in this directory" in told.out
    (tmp_path / "empty" / "other.xml").write_text("<unknown/>\n")
    assert run("validate", "empty").code == 3
    (tmp_path / "empty" / "good.xml").write_text(GOOD.read_text())
    assert run("validate", "empty").code == 0
    assert run("validate", "--exclude", "*.xml", "empty").code == 3


def test_exclude(tmp_path: Path, wrong: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "wrong.xml").write_text(MISSPELLED)
    (tmp_path / "good.xml").write_text(GOOD.read_text())
    assert rules_of(tmp_path) == ["VQ010", "VQ010"]
    assert rules_of("--exclude", "old/", tmp_path) == ["VQ010"]
    assert rules_of("--exclude", "wrong.xml", tmp_path) == []
    assert rules_of("--exclude", "wrong.xml", wrong) == ["VQ010"], "it was named"


def test_select_ignore_and_severity(tmp_path: Path) -> None:
    path = tmp_path / "many.xml"
    path.write_text(
        LEGACY.read_text()
        .replace("threshold value='2'", "threshold value='9'")
        .replace("<driver name='qemu'", "<driver name='qemu' cache='nonee'")
    )
    assert set(rules_of(path)) == {"VQ010", "VQ105", "VQ110"}
    assert rules_of("--select", "VQ105", path) == ["VQ105"]
    assert rules_of("--select", "VQ1", "--ignore", "threshold-element", path) == ["VQ105"]
    assert set(rules_of("--ignore", "vq010", path)) == {"VQ105", "VQ110"}
    assert set(rules_of("--severity", "error", path)) == {"VQ010", "VQ105"}
    assert run("validate", "--select", "VQ5", path).code == 0
    told = run("validate", "--ignore", "VQ777", path)
    assert told.code == 2
    assert "no rule is called 'VQ777'" in told.err


def test_a_comment_keeps_back_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "kept.xml"
    path.write_text(
        MISSPELLED.replace("<devices>", "<!-- virtquorum: ignore VQ010 old --><devices>")
    )
    told = run("validate", path)
    assert told.code == 0
    assert "1 hidden" in told.out or "hidden" in told.out
    path.write_text(
        GOOD.read_text().replace("<devices>", "<!-- virtquorum: ignore VQ9 --><devices>")
    )
    assert rules_of(path) == ["VQ020"]


def test_fix_and_diff(tmp_path: Path) -> None:
    path = tmp_path / "legacy.xml"
    path.write_text(LEGACY.read_text())
    shown = run("validate", "--diff", path)
    assert shown.code == 1
    assert "-      <threshold value='2'/>" in shown.out
    assert path.read_text() == LEGACY.read_text()
    fixed = run("validate", "--fix", path)
    assert fixed.code == 0
    assert "1 finding fixed" in fixed.out
    lines = LEGACY.read_text().splitlines(keepends=True)
    assert len(path.read_text().splitlines()) == len(lines) - 1
    assert "type='quorum' threshold='2'" in path.read_text()
    assert run("validate", "--diff", path).code == 0
    assert run("validate", path).out == "1 file, no findings\n"


def test_a_fix_leaves_the_encoding_and_the_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "legacy.xml"
    text = "<?xml version='1.0' encoding='utf-16'?>\n" + LEGACY.read_text()
    path.write_bytes(text.replace("\n", "\r\n").encode("utf-16"))
    assert run("validate", "--fix", path).code == 0
    new = path.read_bytes().decode("utf-16")
    assert "\r\n" in new
    assert "<threshold" not in new
    assert "type='quorum' threshold='2'" in new


def test_fix_of_what_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "legacy.xml"
    path.write_text(LEGACY.read_text())
    path.chmod(0o644)
    reachable(tmp_path)
    done = as_nobody("validate", "--fix", str(path))
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert path.read_text() == LEGACY.read_text()


@pytest.mark.parametrize("options", [["--fix", "--diff"], ["--fix", "-"], ["--fix"]])
def test_fix_needs_files(options: list[str]) -> None:
    assert run("validate", *options, input=GOOD.read_bytes()).code == 2


def test_grammars(wrong: Path) -> None:
    assert rules_of("--grammar", "rng", wrong) == ["VQ010"]
    assert rules_of("--grammar", "xsd", wrong) == ["VQ011"]
    assert rules_of("--grammar", "both", wrong) == ["VQ010"], "each mistake once"
    assert rules_of("--grammar", "both", GOOD) == []


def test_another_grammar(tmp_path: Path) -> None:
    schema = tmp_path / "note.rng"
    schema.write_text(
        "<element name='note' xmlns='http://relaxng.org/ns/structure/1.0'>"
        "<attribute name='to'/><text/></element>"
    )
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_text("<note to='you'>hi</note>\n")
    bad.write_text("<note too='you'>hi</note>\n")
    assert run("validate", "--schema", schema, good).code == 0
    assert rules_of("--schema", schema, good) == []
    assert rules_of("--schema", schema, bad) == ["VQ010"]
    assert run("validate", "--schema", "nowhere.rng", good).code == 3
    schema.write_text("<element xmlns='http://relaxng.org/ns/structure/1.0'/>")
    told = run("validate", "--schema", schema, good)
    assert told.code == 3
    assert "note.rng:1:1" in told.err


def test_other_documents_of_libvirt(tmp_path: Path) -> None:
    path = tmp_path / "net.xml"
    path.write_text(NETWORK)
    assert run("validate", path).out == "1 file, no findings\n"
    path.write_text(NETWORK.replace("<bridge name=", "<bridge nam="))
    told = run("validate", path)
    assert told.code == 1
    assert "'nam'" in told.out
    for one in sorted((ROOT / "tests/corpus/snapshot").glob("live-*.xml")):
        assert run("validate", one).code == 0, one


def test_without_libvirt_only_disks_are_checked(
    tmp_path: Path, wrong: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from virtquorum.cli import validation

    monkeypatch.setattr(validation, "find_libvirt_schemas", lambda given: None)
    told = run("validate", wrong)
    assert "VQ010" in told.out
    assert "libvirt's grammar is not installed" in told.out
    assert "libvirt0" in told.out.replace("\n    ", " ")
    odd = tmp_path / "odd.xml"
    odd.write_text(GOOD.read_text().replace("<devices>", "<devcies/><devices>"))
    told = run("validate", odd)
    assert told.code == 0
    assert "was checked" in told.out.replace("\n    ", " ")


def test_libvirt_schemas_elsewhere(tmp_path: Path, wrong: Path) -> None:
    assert rules_of("--libvirt-schemas", "/usr/share/libvirt/schemas", wrong) == ["VQ010"]
    told = run("validate", "--libvirt-schemas", tmp_path, wrong)
    assert told.code == 3
    assert "domain.rng" in told.err


def test_a_baseline(tmp_path: Path, wrong: Path) -> None:
    told = run("validate", "--baseline", "known.json", wrong)
    assert told.code == 2
    assert "--update-baseline" in told.err
    told = run("validate", "--baseline", "known.json", "--update-baseline", wrong)
    assert told.code == 0
    assert "known.json: 1 finding written" in told.err
    assert run("validate", "--baseline", "known.json", wrong).code == 0
    wrong.write_text("<!-- moved -->\n\n" + wrong.read_text())
    assert run("validate", "--baseline", "known.json", wrong).code == 0
    wrong.write_text(wrong.read_text().replace("<memory unit", "<memory unot"))
    assert rules_of("--baseline", "known.json", wrong) == ["VQ010"]
    wrong.write_text(GOOD.read_text())
    assert "no longer found" in run("validate", "--baseline", "known.json", wrong).out
    assert run("validate", "--update-baseline", wrong).code == 2
    # A file that cannot be read is never known.
    told = run("validate", "--baseline", "b.json", "--update-baseline", "nowhere.xml")
    assert told.code == 3
    assert json.loads((tmp_path / "b.json").read_text())["findings"] == []


def test_configuration(tmp_path: Path, wrong: Path) -> None:
    config = tmp_path / ".virtquorum.toml"
    config.write_text("[validate]\nignore = ['VQ010']\n")
    assert run("validate", wrong).code == 0
    assert run("validate", "--no-config", wrong).code == 1
    assert run("validate", "--select", "VQ010", wrong).code == 1, "the command line counts more"
    other = tmp_path / "other.toml"
    other.write_text("[validate.per-file-ignores]\n'wrong*.xml' = ['VQ0']\n")
    assert run("validate", "--config", other, wrong).code == 0
    other.write_text("[validate]\nignroe = ['VQ010']\n")
    told = run("validate", "--config", other, wrong)
    assert told.code == 2
    assert "other.toml:2" in told.err
    assert "'ignore'" in told.err
    assert run("validate", "--config", other, "--no-config", wrong).code == 2


def test_check_images(tmp_path: Path) -> None:
    image = tmp_path / "a.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", image, "1M")
    path = tmp_path / "disk.xml"
    path.write_text(
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{image}'/><target dev='vda' bus='virtio'/></disk>\n"
    )
    assert run("validate", path).code == 0
    assert run("validate", "--check-images", path).code == 0
    image.unlink()
    assert run("validate", "--no-check-images", path).code == 0
    assert rules_of("--check-images", path) == ["VQ501"]
    assert rules_of("--check-images", "--ignore", "VQ5", path) == []


@pytest.mark.parametrize("format", ["human", "json", "junit", "sarif", "github", "gitlab"])
def test_formats(format: str, wrong: Path) -> None:
    told = run("validate", "--format", format, wrong, GOOD)
    assert told.code == 1
    assert told.err == ""
    assert "VQ010" in told.out
    if format in ("json", "sarif", "gitlab"):
        json.loads(told.out)
    if format == "junit":
        etree.fromstring(told.out.encode())
    told = run("validate", "--format", "human", "--output", f"{format}=out.txt", wrong, GOOD)
    assert told.out.startswith(str(wrong))
    assert "VQ010" in Path("out.txt").read_text()


def test_several_formats_at_once(wrong: Path) -> None:
    told = run(
        "validate",
        "--format",
        "github",
        "--output",
        "json=a.json",
        "--output",
        "sarif=b.sarif",
        wrong,
    )
    assert told.out.startswith("::error ")
    assert json.loads(Path("a.json").read_text())["version"] == 1
    assert json.loads(Path("b.sarif").read_text())["version"] == "2.1.0"
    for word in ("json", "jsn=x", "json="):
        assert run("validate", "--output", word, wrong).code == 2


def test_github_by_itself(wrong: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = run("validate", wrong)
    assert "error[VQ010]" in told.out
    assert "::error file=" in told.out
    assert "::error" not in run("validate", "--format", "json", wrong).out


def test_usage(wrong: Path) -> None:
    calls: list[list[str | Path]] = [
        ["--format", "xml", wrong],
        ["--schema", "x.rng", "--grammar", "xsd", wrong],
        ["--update-baseline", "--fix", "--baseline", "x", wrong],
        ["--severity", "fatal", wrong],
        ["--nope", wrong],
    ]
    for argv in calls:
        assert run("validate", *argv).code == 2, argv


def test_many_files_in_order(tmp_path: Path) -> None:
    """Over several processes the results come as the files were named."""
    names = []
    for number in range(150):
        path = tmp_path / f"{number:03}.xml"
        path.write_text(MISSPELLED if number % 3 == 0 else GOOD.read_text())
        names.append(str(path))
    told = json.loads(run("validate", "--format", "json", *names).out)
    assert [file["path"] for file in told["files"]] == names
    assert [file["valid"] for file in told["files"]] == [number % 3 != 0 for number in range(150)]


def test_the_way_without_typer_is_the_same(wrong: Path) -> None:
    """Paths alone are checked without a parser of options; that must not be seen."""
    environ = environment()
    for paths in ([str(GOOD)], [str(wrong), str(GOOD)], ["nowhere.xml"], ["-"]):
        plain, parsed = (
            subprocess.run(
                [sys.executable, "-m", "virtquorum", "validate", *more, *paths],
                capture_output=True, timeout=60, check=False, env=environ, input=b"<domain>",
                cwd=os.getcwd(),
            )
            for more in ([], ["--format", "human"])
        )  # fmt: skip
        assert (plain.returncode, plain.stdout, plain.stderr) == (
            parsed.returncode, parsed.stdout, parsed.stderr,
        )  # fmt: skip


def test_fixes_that_do_not_go_together_are_made_one_after_the_other(tmp_path: Path) -> None:
    """Renaming one attribute and adding it from an element would write it twice."""
    path = tmp_path / "both.xml"
    path.write_text(
        LEGACY.read_text().replace("type='quorum' device", "type='quorum' Threshold='2' device")
    )
    assert run("validate", "--fix", path).code == 0
    assert path.read_text().count("threshold='2'") == 1
    assert "Threshold" not in path.read_text()
    assert "<threshold" not in path.read_text()


def test_a_misspelled_root_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD.read_text())
    (tmp_path / "other.xml").write_text("<project/>\n")
    told = run("validate", tmp_path)
    assert told.code == 0
    assert "1 file passed over" in told.out
    (tmp_path / "wrong.xml").write_text("<domian/>\n")
    told = run("validate", tmp_path)
    assert told.code == 3
    assert "wrong.xml:1:1: error[VQ004]" in told.out


def test_a_report_does_not_take_the_place_of_a_document(wrong: Path) -> None:
    told = run("validate", "--output", f"json={wrong}", wrong)
    assert told.code == 2
    assert "would overwrite" in told.err
    assert wrong.read_text() == MISSPELLED
    assert run("validate", "--output", "json=-", wrong).code == 2


def test_a_full_disk_is_no_traceback(wrong: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "virtquorum", "validate", str(GOOD)],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == "virtquorum: the output cannot be written: no space left on device\n"


def test_what_is_no_xml_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "bad.xml"
    path.write_text("<domain>\n  <name>é</nam>\n</domain>\n")
    told = run("validate", path)
    assert "2 |   <name>é</nam>" in told.out


def test_a_pattern_that_cannot_be_followed_is_told(tmp_path: Path) -> None:
    schema = tmp_path / "x.rng"
    schema.write_text(
        "<element name='d' xmlns='http://relaxng.org/ns/structure/1.0'"
        " datatypeLibrary='http://www.w3.org/2001/XMLSchema-datatypes'>"
        "<data type='string'><param name='pattern'>(a{0,1000}){0,1000}</param></data></element>"
    )
    path = tmp_path / "x.xml"
    path.write_text(f"<d>{'a' * 30_000}</d>")
    told = run("validate", "--schema", schema, path)
    assert told.code in (1, 3)
    assert "pattern" in told.out + told.err
