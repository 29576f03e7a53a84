"""The configuration: where it is found, what it may say, and what is said of a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virtquorum.check.finding import Severity
from virtquorum.cli.config import KEYS, Config, excluded
from virtquorum.errors import ConfigurationError

WHOLE = """
select = ["VQ1", "grammar"]
ignore = ["single-member"]
severity = "warning"
exclude = ["generated", "old/*.xml"]
grammar = "both"
libvirt-schemas = "schemas"
baseline = "../known.json"
check-images = true

[HEAD.per-file-ignores]
"legacy/**" = ["VQ110", "vq304"]
"*.in.xml" = ["all"]
"""
OWN = f"[validate]{WHOLE.replace('HEAD', 'validate')}"
PROJECT = f"[tool.virtquorum.validate]{WHOLE.replace('HEAD', 'tool.virtquorum.validate')}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, in a repository of its own."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "text"), [(".virtquorum.toml", OWN), ("pyproject.toml", PROJECT)])
def test_all_keys(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    found = Config.find()
    assert found == Config.read(str(folder / name))
    assert found == Config(
        path=str(folder / name),
        select=("VQ1", "grammar"),
        ignore=("single-member",),
        severity=Severity.WARNING,
        exclude=("generated", "old/*.xml"),
        grammar="both",
        libvirt_schemas=str(folder / "schemas"),
        baseline=str(folder / "../known.json"),
        check_images=True,
        per_file_ignores=(("legacy/**", ("VQ110", "vq304")), ("*.in.xml", ("all",))),
    )
    assert all(f"{key} =" in WHOLE or f".{key}]" in WHOLE for key in KEYS)


def test_without_a_file_nothing_is_said(folder: Path) -> None:
    assert Config.find() == Config()
    assert Config.find(str(folder)).path is None


def test_the_search_goes_upward(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".virtquorum.toml").write_text("[validate]\ngrammar = 'xsd'\nbaseline = 'b.json'")
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    (folder / "a" / "pyproject.toml").write_text("[tool.black]\n[tool.virtquorum]\n")
    monkeypatch.chdir(below)
    found = Config.find()
    assert found.grammar == "xsd"
    assert found.baseline == str(folder / "b.json")
    assert found.directory == str(folder)


@pytest.mark.parametrize("mark", [".git", ".hg", ".svn"])
def test_the_search_ends_at_the_top_of_a_repository(folder: Path, mark: str) -> None:
    (folder / ".virtquorum.toml").write_text("[validate]\ngrammar = 'xsd'")
    inner = folder / "inner" / "below"
    inner.mkdir(parents=True)
    assert Config.find(str(inner)).grammar == "xsd"
    (inner.parent / mark).write_text("")  # a worktree's .git is a file
    assert Config.find(str(inner)) == Config()
    (inner.parent / "pyproject.toml").write_text("tool.virtquorum.validate.grammar = 'rng'")
    assert Config.find(str(inner)).grammar == "rng"


def test_our_own_file_counts_first_and_ends_the_search(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / ".virtquorum.toml").write_text("")
    assert Config.find() == Config(path=str(folder / ".virtquorum.toml"))


def test_other_peoples_files_are_not_even_parsed(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("= broken")
    assert Config.find() == Config()
    (folder / "pyproject.toml").write_text("[tool.virtquorum\n")
    with pytest.raises(ConfigurationError, match=r"pyproject.toml:1:\d+: it is no TOML"):
        Config.find()


def test_a_named_pyproject_must_have_the_table(folder: Path) -> None:
    path = folder / "pyproject.toml"
    path.write_text("[tool.virtquorum]\n")
    with pytest.raises(ConfigurationError, match=r"no table \[tool.virtquorum.validate\] in it"):
        Config.read(str(path))
    assert Config.find() == Config()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[validate]\nselct = []", ":2", "'selct' is unknown; did you mean 'select'?"),
        ("[validate]\n\nlibvirt_schemas = 'x'", ":3", "did you mean 'libvirt-schemas'?"),
        ("[validate]\n'colour' = 1", ":2", "'colour' is unknown; known are select, ignore, sev"),
        ("[validate]\ncolour.x = 1", ":2", "'colour' is unknown; known are select"),
        ("[validate.colour]\nx = 1", ":1", "'colour' is unknown; known are select"),
        ("select = ['VQ1']", ":1", "'select' is unknown; it belongs below [validate]"),
        ("\n[valdate]", ":2", "'valdate' is unknown; did you mean 'validate'?"),
        ("[tool.virtquorum.validate]", ":1", "'tool' is unknown; known are validate"),
        ("validate = 1", ":1", "'validate' must be a table"),
        ("[[validate]]", "", "'validate' must be a table"),
        ("[validate]\nselect = 'VQ1'", ":2", "select: a list of strings is expected"),
        ("[validate]\nexclude = [1]", ":2", "exclude: a list of strings is expected"),
        ("[validate]\nexclude = ['a', '']", ":2", "exclude: '' is no pattern"),
        ("[validate]\nexclude = ['/']", ":2", "exclude: '/' is no pattern"),
        ("[validate]\nexclude = ['[z-a]']", ":2", "exclude: '[z-a]' is no pattern"),
        ("[validate]\nselect = ['VQ015']", ":2", "select: no rule is called 'VQ015'; did you mean"),
        ("[validate]\nignore = ['VQ001']", ":2", "ignore: 'VQ001' cannot be ignored"),
        ("[validate]\nignore = ['']", ":2", "ignore: '' names no rule; expected a code"),
        (
            "[validate]\nseverity = 'warn'",
            ":2",
            "severity: 'warn' is none of its values; expected 'error', 'warning', 'note'",
        ),
        ("[validate]\nseverity = true", ":2", "severity: true is none of its values"),
        ("[validate]\ngrammar = ['rng']", ":2", "expected 'rng', 'xsd', 'both'"),
        ("[validate]\nbaseline = 5", ":2", "baseline: a path is expected, not 5"),
        ("[validate]\nlibvirt-schemas = ''", ":2", "libvirt-schemas: a path is expected, not ''"),
        ("[validate]\nbaseline = '\\u0000'".replace("'", '"'), ":2", "a path is expected"),
        ("[validate]\ncheck-images = 'yes'", ":2", "check-images: true or false is expected, not"),
        ("[validate]\ncheck-images = 1", ":2", "check-images: true or false is expected, not 1"),
        ("[validate]\nper-file-ignores = []", ":2", "per-file-ignores: a table of patterns is"),
        ("[validate.per-file-ignores]\nx = 'VQ1'", ":1", "per-file-ignores: a list of strings"),
        ("[validate.per-file-ignores]\nx = ['VQ']\ny = ['Q']", ":1", "no rule is called 'Q'"),
        ("[validate.per-file-ignores]\n'' = ['VQ1']", ":1", "'' is no pattern"),
        ("[validate]\nselect = [\n", ":3", "it is no TOML: "),
        ("[validate]\nselect = VQ1", ":2:10", "it is no TOML: invalid value"),
        ("a = " + "[" * 50_000, "", "it is"),
    ],
)
def test_what_is_wrong(folder: Path, text: str, line: str, message: str) -> None:
    path = folder / ".virtquorum.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Config.find()
    assert str(caught.value).startswith(f"{path}{line}: " if line != ":3" else f"{path}:")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_place_in_pyproject(folder: Path) -> None:
    path = folder / "pyproject.toml"
    path.write_text("[tool.other]\ngrammar = 1\n[tool.virtquorum.validate]\ngrammar = 1\n")
    with pytest.raises(ConfigurationError, match=r"pyproject.toml:4: grammar: 1 is none of"):
        Config.find()
    path.write_text("[tool]\nvirtquorum = { validate = { grammar = 1 } }\n")
    with pytest.raises(ConfigurationError, match=r"pyproject.toml: grammar: 1 is none of"):
        Config.find()
    path.write_text("[tool.virtquorum.valdate]\n")
    with pytest.raises(ConfigurationError, match=r":1: 'valdate' is unknown; did you mean 'val"):
        Config.find()


def test_files_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: no such file or directory"):
        Config.read("missing.toml")
    (folder / ".virtquorum.toml").write_bytes(b"[validate]\n\n# \xff\n")
    with pytest.raises(ConfigurationError, match="toml:3: it is not UTF-8"):
        Config.find()


def test_another_name_is_read_as_our_own(folder: Path) -> None:
    (folder / "ci.toml").write_text("[validate]\nbaseline = 'x.json'\n")
    found = Config.read("ci.toml")
    assert (found.baseline, found.directory) == ("x.json", str(folder))


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.xml", "a.xml", True),
        ("b/a.xml", "a.xml", True),
        ("b/a.xml", "b", True),
        ("b/c/a.xml", "c", True),
        ("b/c/a.xml", "c/", True),
        ("b/c", "c", True),
        ("b/c", "c/", False),
        ("b/cc/a.xml", "c", False),
        ("b/a.xml.xml", "a.xml", False),
        ("b/a.xml", "*.xml", True),
        ("b/.a.xml", "*.xml", True),
        ("b/a.xml", "?.xml", True),
        ("b/ab.xml", "?.xml", False),
        ("b/a.xml", "[ab].xml", True),
        ("b/a.xml", "[!ab].xml", False),
        ("b/^.xml", "[^]].xml", False),
        ("b/a.xml", "[b-z].xml", False),
        ("b/[.xml", "[.xml", True),
        ("b/a.xml", "b/*.xml", True),
        ("b/a.xml", "./b/*.xml", True),
        ("./b/a.xml", "b/*.xml", True),
        ("b/c/a.xml", "b/*.xml", False),
        ("c/b/a.xml", "b/*.xml", False),
        ("c/b/a.xml", "**/b/*.xml", True),
        ("b/a.xml", "**/b/*.xml", True),
        ("c/b/a.xml", "c/**", True),
        ("c", "c/**", False),
        ("c/d/e/a.xml", "c/**/a.xml", True),
        ("c/a.xml", "c/**/a.xml", True),
        ("cc/a.xml", "c/**", False),
        ("c/d/a.xml", "c**/a.xml", False),
        ("cc/a.xml", "c**/a.xml", True),
        ("c/d/a.xml", "c/d**", True),
        ("c/d/a.xml", "c/d", True),
        ("c/d/a.xml", "c/d/", True),
        ("c/d/a.xml", "./c", True),
        ("x/c/a.xml", "./c", False),
        ("a+b.xml", "a+b.xml", True),
        ("aab.xml", "a+b.xml", False),
        ("a\nb.xml", "*.xml", True),
        ("../a.xml", "a.xml", True),
        ("../b/a.xml", "b", False),
        ("A.xml", "a.xml", False),
    ],
)
def test_excluded(folder: Path, path: str, pattern: str, expected: bool) -> None:
    assert excluded(path, [pattern]) is expected
    assert excluded(path, ["nothing", pattern]) is expected
    assert excluded(str(folder / path), [pattern]) is expected
    assert not excluded(path, [])


def test_the_directories_above_are_no_part_of_a_path(folder: Path) -> None:
    assert not excluded("a.xml", [folder.name])
    assert not excluded(str(folder / "a.xml"), [folder.name])
    assert excluded("a.xml", [str(folder)])
    assert excluded("b/a.xml", [f"{folder}/*.xml", f"{folder}/*/*.xml"])
    assert not excluded("b/a.xml", [f"{folder}/*.xml"])


def test_paths_are_seen_from_each_base(folder: Path) -> None:
    path = "domains/old/a.xml"
    assert not excluded(path, ["old/*.xml"])
    assert excluded(path, ["old/*.xml"], "domains")
    assert excluded(path, ["old/*.xml"], "elsewhere", str(folder / "domains"))
    assert not excluded(path, ["domains/**"], "domains")
    assert excluded(path, ["domains/**"], "domains", os.curdir)


def test_patterns_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".virtquorum.toml").write_text(OWN)
    below = folder / "legacy"
    below.mkdir()
    monkeypatch.chdir(below)
    found = Config.find()
    assert found.ignores_for("a.xml") == ("VQ110", "vq304")
    assert found.ignores_for("a.in.xml") == ("VQ110", "vq304", "all")
    assert found.ignores_for("../a.xml") == ()
    assert found.excludes("../old/a.xml")
    assert found.excludes("generated/a.xml")
    assert not found.excludes("old/a.xml")
    assert not Config().excludes("old/a.xml")
    assert Config().ignores_for("a.xml") == ()
