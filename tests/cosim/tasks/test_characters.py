import numpy as np
import pytest
from hypothesis import given, strategies as st

from cosim.tasks import CharacterTask, Provenance
from cosim.tasks.characters import encode
from cosim.tasks.texts.documents import normalise, split_documents
from cosim.tasks.texts.ptb import build_ptb
from netlists.errors import InputError, ToolkitError

ORIGIN = Provenance(source="made here", version="1", licence="none", sha256={}, items={})


def make(**change):
    fields = {"alphabet": "abc", "train": np.array([0, 1, 2]), "validation": np.array([0, 1]), "test": np.array([2, 2])}
    return CharacterTask(name="toy", provenance=ORIGIN, **(fields | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": "aa"}, "alphabet='aa': must be 2..256 characters, all different"),
        ({"alphabet": "".join(map(chr, range(300)))}, "must be 2..256"),
        ({"train": np.zeros((2, 2), int)}, r"train has shape \(2, 2\)"),
        ({"validation": np.array([0.0, np.nan])}, "validation has shape .* type float64"),
        ({"test": np.array([1])}, "test has 1 characters"),
        ({"test": np.array([1, 3])}, r"test\[1\]=3: must be 0..2"),
        ({"test": np.array([1, -1])}, r"test\[1\]=-1"),
    ],
)
def test_bad_characters_are_named(change, message):
    with pytest.raises(InputError, match=message):
        make(**change)


def test_splits_are_copied_and_read_only():
    ids = np.array([0, 1, 2])
    task = make(train=ids)
    ids[0] = 2
    assert task.decode(task.train) == "abc"
    assert task.train.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        task.train[0] = 1


@given(st.text(min_size=2, max_size=50).filter(lambda t: len(set(t)) > 1))
def test_numbers_and_text_are_the_same_thing(text):
    alphabet = "".join(sorted(set(text)))
    assert "".join(alphabet[i] for i in encode(text, alphabet)) == text


def test_a_character_that_the_training_text_lacks_is_named():
    with pytest.raises(InputError, match="task toy: test: character 1 is 'z'"):
        CharacterTask.from_texts("toy", {"train": "ab", "validation": "ba", "test": "az"}, ORIGIN)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Mr. Speaker, I ask for $3,000,000.50 -- no more! The U.S. Navy's well-being…",
            "mr. speaker i ask for $ N no more\nthe u.s. navy's well-being\n",
        ),
        ('He said: "Go on." "No," she said.', "he said go on\nno she said\n"),
        ("In 1862 J. Q. Adams; AT&T—café’s 1st", "in N j q adams at & t cafe's Nst\n"),
        ("… -- !", ""),
    ],
)
def test_text_is_normalised_like_the_penn_treebank(text, expected):
    assert normalise(text) == expected


@given(st.text(max_size=200))
def test_normalised_text_has_few_characters_and_no_empty_line(text):
    result = normalise(text)
    assert set(result) <= set("abcdefghijklmnopqrstuvwxyzN '-.$&\n")
    assert all(line and line == line.strip() for line in result.splitlines())


def test_every_document_is_on_one_side():
    documents = [f"<{i}>" for i in range(45)]
    sides = split_documents(documents)
    assert sides["validation"] == "<9><29>"
    assert sides["test"] == "<19><39>"
    assert sum(map(len, sides.values())) == len("".join(documents))


SENTENCES = {"train": [" aer <unk> N \n", " mr. x 's\n"], "valid": [" aer \n"], "test": [" x N \n"]}


def write_ptb(folder, *, by_character):
    for word, lines in SENTENCES.items():
        if by_character:
            text = "".join(" ".join(line.strip().replace(" ", "_")) + "\n" for line in lines)
            (folder / f"ptb.char.{word}.txt").write_text(text)
        else:
            (folder / f"ptb.{word}.txt").write_text("".join(lines))


@pytest.mark.parametrize("by_character", [False, True])
def test_penn_treebank_files_of_both_kinds_give_one_task(tmp_path, monkeypatch, by_character):
    write_ptb(tmp_path, by_character=by_character)
    monkeypatch.setenv("NLADC_COSIM_PTB", str(tmp_path))
    task = build_ptb()
    assert task.decode(task.train) == "aer <unk> N\nmr. x 's\n"
    assert task.decode(task.validation) == "aer\n"
    assert task.metric == "bits per character"
    assert task.provenance.items == {"train": 21, "validation": 4, "test": 4}
    assert "NOT the standard split, which has 42,068 train" in task.provenance.notes
    assert "LDC" in task.provenance.licence


def test_a_missing_or_wrong_penn_treebank_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("NLADC_COSIM_PTB", raising=False)
    with pytest.raises(ToolkitError, match=r"give a folder with ptb\.char\.train\.txt"):
        build_ptb()
    with pytest.raises(ToolkitError, match=r"ptb.train.txt cannot be read \(No such file"):
        build_ptb(tmp_path)
    write_ptb(tmp_path, by_character=True)
    (tmp_path / "ptb.char.valid.txt").write_text("a b\nab c\n")
    with pytest.raises(InputError, match=r"ptb.char.valid.txt, line 2: 'ab' is not a single character"):
        build_ptb(tmp_path)
    (tmp_path / "ptb.char.valid.txt").write_text("\n")
    with pytest.raises(InputError, match="holds no sentence"):
        build_ptb(tmp_path)
    (tmp_path / "ptb.char.valid.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not text"):
        build_ptb(tmp_path)
