"""Grammars in several files, and grammars that are none."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.check.relaxng.conformance import HEAD, grammar
from virtquorum.check.relaxng import GrammarError, read_grammar
from virtquorum.errors import InputError
from virtquorum.xml.document import Document


def wrong_grammars() -> dict[str, str]:
    """The contents of wrong.txt, by the words of the message."""
    text = (Path(__file__).parent / "wrong.txt").read_text()
    parts = (part.partition("]\n") for part in re.split(r"^\[", text, flags=re.MULTILINE)[1:])
    return {words: "".join(line.strip() for line in body.split("\n")) for words, _, body in parts}


WRONG = wrong_grammars()


def read(folder: Path, **files: str) -> object:
    for name, text in files.items():
        (folder / f"{name}.rng").write_text(text)
    return read_grammar(str(folder / "main.rng"))


def fits(grammar: object, text: str) -> bool:
    return not grammar.check(Document.from_text(text, "x.xml").root)  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_grammar_is_refused_with_its_place(words: str, tmp_path: Path) -> None:
    body = WRONG[words]
    text = grammar(body) if "<include" not in body else f"<grammar {HEAD}>{body}</grammar>"
    with pytest.raises(GrammarError) as caught:
        read(tmp_path, main=text)
    error = caught.value
    assert isinstance(error, InputError)
    assert words in error.message
    assert error.file == str(tmp_path / "main.rng")
    assert error.line == 1
    assert error.column is not None
    done = subprocess.run(
        ["timeout", "10", "xmllint", "--nonet", "--noout", "--relaxng", tmp_path / "main.rng", "-"],
        input="<r/>",
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode == 5) == (words not in _LIBXML2_TAKES), done.stderr


#: Grammars that libxml2 does not refuse, although the specification does.
_LIBXML2_TAKES = {
    "'int' has no parameter 'length'",
    "'x' is no value of 'int'",
    "is no regular expression",
    "'merge'",
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("<grammar", "ends inside a tag"),
        ("<domain/>", "is no pattern of RELAX NG"),
        (f"<grammar {HEAD.replace('relaxng', 'relax')}/>", "is no pattern of RELAX NG"),
        ("<!DOCTYPE x [<!ENTITY y 'z'>]><x/>", "DOCTYPE"),
    ],
)
def test_what_is_no_relax_ng_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(GrammarError) as caught:
        read(tmp_path, main=text)
    assert words in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match="cannot be read: No such file"):
        read_grammar(str(tmp_path / "none.rng"))


_COMMON = grammar(
    "<start><ref name='root'/></start>"
    "<define name='root'><element name='r'><ref name='inner'/></element></define>"
    "<define name='inner'><element name='a'><empty/></element></define>"
)


def test_an_include_overrides(tmp_path: Path) -> None:
    main = f"""<grammar {HEAD}><include href='common.rng'>
        <div><define name='inner'><element name='b'><empty/></element></define></div>
        </include></grammar>"""
    found = read(tmp_path, main=main, common=_COMMON)
    assert fits(found, "<r><b/></r>")
    assert not fits(found, "<r><a/></r>")


def test_an_override_of_nothing_is_refused(tmp_path: Path) -> None:
    main = f"""<grammar {HEAD}><include href='common.rng'>
        <define name='other'><empty/></define></include></grammar>"""
    with pytest.raises(GrammarError, match="overrides nothing") as caught:
        read(tmp_path, main=main, common=_COMMON)
    assert caught.value.line == 2


def test_definitions_are_combined_across_files(tmp_path: Path) -> None:
    main = f"""<grammar {HEAD}><include href='sub/common.rng'/>
        <define name='inner' combine='choice'>
        <element name='b'><empty/></element></define></grammar>"""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "common.rng").write_text(_COMMON)
    found = read(tmp_path, main=main)
    assert fits(found, "<r><b/></r>")
    assert fits(found, "<r><a/></r>")
    assert not fits(found, "<r><a/><b/></r>")


def test_an_override_reaches_through_two_includes(tmp_path: Path) -> None:
    main = f"""<grammar {HEAD}><include href='middle.rng'>
        <start><element name='s'><ref name='inner'/></element></start></include></grammar>"""
    found = read(
        tmp_path,
        main=main,
        middle=f"<grammar {HEAD}><include href='common.rng'/></grammar>",
        common=_COMMON,
    )
    assert fits(found, "<s><a/></s>")
    assert not fits(found, "<r><a/></r>")


def test_includes_in_a_circle_are_refused(tmp_path: Path) -> None:
    main = f"<grammar {HEAD}><include href='other.rng'/></grammar>"
    with pytest.raises(GrammarError, match="includes itself") as caught:
        read(tmp_path, main=main, other=f"<grammar {HEAD}><include href='main.rng'/></grammar>")
    assert caught.value.file == str(tmp_path / "other.rng")
    with pytest.raises(GrammarError, match="includes itself"):
        read(tmp_path, main=f"<element name='r' {HEAD}><externalRef href='main.rng'/></element>")


def test_an_external_pattern_has_the_namespace_around_it(tmp_path: Path) -> None:
    part = f"<element name='a' {HEAD}><data type='int'/></element>"
    main = f"<element name='r' ns='urn:r' {HEAD}><externalRef href='part.rng'/></element>"
    found = read(tmp_path, main=main, part=part)
    assert fits(found, "<r xmlns='urn:r'><a>1</a></r>")
    assert not fits(found, "<r xmlns='urn:r'><a xmlns=''>1</a></r>")
    main = f"<element name='r' {HEAD}><externalRef href='part.rng' ns='urn:a'/></element>"
    found = read(tmp_path, main=main, part=part)
    assert fits(found, "<r><a xmlns='urn:a'>1</a></r>")


def test_texts_take_the_place_of_files(tmp_path: Path) -> None:
    (tmp_path / "common.rng").write_text(_COMMON)
    path = str(tmp_path / "overlay.rng")
    overlay = (
        f"<grammar {HEAD}><include href='common.rng'/>"
        "<define name='inner' combine='choice'><text/></define></grammar>"
    )
    found = read_grammar(path, texts={path: overlay.encode()})
    assert fits(found, "<r>x</r>")
    with pytest.raises(GrammarError, match="no definition of 'gone'"):
        read_grammar(path, texts={path: overlay.replace("<text/>", "<ref name='gone'/>").encode()})


def test_patterns_too_deep_are_refused(tmp_path: Path) -> None:
    chain = "".join(f"<define name='d{n}'><ref name='d{n + 1}'/></define>" for n in range(500))
    start = "<start><element name='r'><ref name='d0'/></element></start>"
    body = f"{start}{chain}<define name='d500'><empty/></define>"
    with pytest.raises(GrammarError, match="more than 200 deep"):
        read(tmp_path, main=grammar(body))
    nested = "<optional>" * 300 + "<empty/>" + "</optional>" * 300
    with pytest.raises(GrammarError, match="levels"):
        read(tmp_path, main=grammar(f"<element name='r'>{nested}</element>"))
