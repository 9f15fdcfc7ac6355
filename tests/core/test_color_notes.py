import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcolor.shared.classes import NUM_LABELS, all_classes
from semcolor.shared.color_notes import NOTES_LIMIT, ColorNote, format_notes, parse_notes
from semcolor.shared.errors import Code, SemcolorError

IDS = {entry.name: entry.id for entry in all_classes()}
SHARES = st.floats(0, 1)
COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)
NOTES = st.builds(
    ColorNote, st.integers(0, NUM_LABELS - 1), COLORS, st.none() | st.tuples(SHARES, SHARES)
)


def test_notes_as_people_write_them():
    text = "\ufeff# the regiment's\r\n\r\n  Clothes : #5B5A3C\r\ncar at 31.2% 58%: #7a2018\r\n"
    assert parse_notes(text, "notes.txt") == (
        ColorNote(IDS["clothes"], "#5b5a3c"),
        ColorNote(IDS["car"], "#7a2018", (0.312, 0.58)),
    )


@given(st.lists(NOTES, max_size=5))
def test_notes_come_back_from_their_file(notes):
    found = parse_notes(format_notes(notes), "notes.txt")
    assert [(note.class_id, note.color) for note in found] == [
        (note.class_id, note.color) for note in notes
    ]
    for there, back in zip(notes, found, strict=True):
        assert (there.place is None) == (back.place is None)
        assert back.place == pytest.approx(there.place, abs=1e-5) if back.place else True


@pytest.mark.parametrize(
    "line",
    [
        "uniform: #5b5a3c", "clothes: olive", "clothes #5b5a3c", "clothes: #5b5a3", ":", "#",
        "car at 31% : #7a2018", "car at 131% 5%: #7a2018", "car at 1.2.3% 5%: #7a2018",
    ],
)  # fmt: skip
def test_what_is_no_note_is_told_with_its_line(line):
    text = f"sky: #4060ff\n{line}\n"
    if line.startswith("#"):
        assert len(parse_notes(text, "notes.txt")) == 1
        return
    with pytest.raises(SemcolorError, match=r"Line 2 of notes\.txt") as caught:
        parse_notes(text, "notes.txt")
    assert caught.value.code == Code.BAD_NOTES


def test_too_many_notes_are_refused():
    text = "sky: #4060ff\n" * NOTES_LIMIT
    assert len(parse_notes(text, "")) == NOTES_LIMIT
    with pytest.raises(SemcolorError) as caught:
        parse_notes(text + "sky: #4060ff", "")
    assert caught.value.code == Code.TOO_MANY_TINTS
