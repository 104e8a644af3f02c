"""Files of ELAN, read from XML as ELAN writes it."""

from decimal import Decimal
from itertools import islice

import pytest

from microgesture.errors import InputError
from microgesture.study.annotations import eaf
from microgesture.study.annotations.record import Note
from microgesture.study.annotations.timecode import clock_seconds, timecode_seconds

SLOTS = """<TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
<TIME_SLOT TIME_SLOT_ID="ts2"/>
<TIME_SLOT TIME_SLOT_ID="ts9" TIME_VALUE="1300"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/>
<TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
<TIME_SLOT TIME_SLOT_ID="ts5"/>
</TIME_ORDER>"""


def write(path, media, tiers):
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">\n'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">{media}</HEADER>{SLOTS}{tiers}</ANNOTATION_DOCUMENT>'
    )
    return path


def media(name, origin=""):
    return f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/{name}" MIME_TYPE="x" RELATIVE_MEDIA_URL="./{name}" {origin}/>'


def tier(name, *annotations, attributes=""):
    inner = "".join(f"<ANNOTATION>{annotation}</ANNOTATION>" for annotation in annotations)
    return f'<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="{name}" {attributes}>{inner}</TIER>'


def aligned(number, first, last, text):
    return (
        f'<ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{last}">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>"
    )


def referring(number, parent, text):
    return (
        f'<REF_ANNOTATION ANNOTATION_ID="a{number}" ANNOTATION_REF="a{parent}">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></REF_ANNOTATION>"
    )


def rows(found):
    return [(entry.tier, entry.label, entry.start, entry.end) for entry in found.annotations]


def test_time_slots_without_a_value_share_the_time_between_their_neighbours(tmp_path):
    parts = [aligned(2, 1, 2, "prepare"), aligned(3, 2, 3, "stroke"), aligned(4, 3, 4, "retract")]
    phases = tier("phase", *parts, attributes='PARENT_REF="gesture"')
    path = write(tmp_path / "a.eaf", media("a.mp4"), tier("gesture", aligned(1, 1, 4, "wave")) + phases)
    assert rows(eaf.read(path)) == [
        ("gesture", "wave", "1000", "4000"),
        ("phase", "prepare", "1000", "2000"),
        ("phase", "stroke", "2000", "3000"),
        ("phase", "retract", "3000", "4000"),
    ]


def test_a_chain_ends_at_the_next_slot_with_a_time(tmp_path):
    parts = [aligned(n, *ends, "part") for n, ends in enumerate([(1, 2), (2, 9), (9, 3), (3, 4)])]
    found = eaf.read(write(tmp_path / "a.eaf", media("a.mp4"), tier("phase", *parts)))
    ends = [(int(start), int(end)) for *_, start, end in rows(found)]
    assert ends == [(1000, 1150), (1150, 1300), (1300, 2650), (2650, 4000)]


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [((1,), "1 row has no time, and is not used"), ((2,), "2 rows have no time, and are not used")],
)
def test_a_sentence_agrees_with_its_count(counts, sentence):
    assert Note("{} rows have no time, and are not used", counts).sentence() == sentence


def test_annotations_that_refer_to_others_have_their_times(tmp_path):
    tiers = tier("speech", aligned(1, 1, 4, "well")) + tier(
        "gesture", referring(2, 1, "wave"), attributes='PARENT_REF="speech"'
    )
    tiers += tier("hand", referring(3, 2, "left"), attributes='PARENT_REF="gesture"')
    found = eaf.read(write(tmp_path / "a.eaf", media("a.mp4"), tiers))
    assert rows(found)[1:] == [("gesture", "wave", "1000", "4000"), ("hand", "left", "1000", "4000")]


def test_annotations_without_a_time_are_counted(tmp_path):
    circle = referring(2, 3, "x"), referring(3, 2, "y")
    path = write(tmp_path / "a.eaf", "", tier("gesture", aligned(1, 4, 5, "wave"), *circle))
    found = eaf.read(path)
    assert not found.annotations
    assert found.notes == [Note("{} annotations have no time, and are not used", (3,))]


def test_the_first_video_counts_with_its_own_offset(tmp_path):
    linked = media("a.wav", 'TIME_ORIGIN="7"') + media("my%20film.mp4", 'TIME_ORIGIN="500"') + media("side.mp4")
    gestures = tier("gesture", aligned(1, 1, 4, "wave\n  slowly"), attributes='PARTICIPANT="P01"')
    found = eaf.read(write(tmp_path / "a.eaf", linked, gestures))
    (entry,) = found.annotations
    assert (entry.media, entry.start, entry.end) == ("./my film.mp4", "1500", "4500")
    assert (entry.label, entry.subject) == ("wave slowly", "P01")
    assert any("several videos are linked" in note.text for note in found.notes)


def timecodes(nominal, drop):
    """All timecodes in order, counted as the standard says: no frames 00 and 01 (of 30) in most minutes."""
    for minute in range(60):
        for second in range(60):
            for frame in range(nominal):
                if drop and minute % 10 and second == 0 and frame < nominal // 15:
                    continue
                yield f"00:{minute:02}:{second:02}{';' if drop else ':'}{frame:02}"


@pytest.mark.parametrize(
    ("unit", "fps", "nominal", "drop"),
    [
        ("PAL", 30.0, 25, False),
        ("PAL-50", None, 50, False),
        ("NTSC", None, 30, True),
        ("timecode", 30000 / 1001, 30, True),
        ("timecode", 30000 / 1001, 30, False),
        ("timecode", 24.0, 24, False),
    ],
)
def test_timecodes_number_the_frames(unit, fps, nominal, drop):
    rate = {"PAL": 25, "PAL-50": 50, "NTSC": 30000 / 1001}.get(unit, fps)
    for number, text in islice(enumerate(timecodes(nominal, drop)), 0, 40_000, 97):
        assert round(float(timecode_seconds(text, unit, fps)) * rate, 3) == number


def test_texts_that_are_no_times():
    for text in ("", "x", "1:2", "00:00:01:30", "00:00:61:00", "00:61:00:00"):
        assert timecode_seconds(text, "PAL", None) is None
    assert timecode_seconds("00:00:01:00", "timecode", None) is None
    for text in ("", "nan", "-1", "1e3", "1:2:3:4", "9" * 40):
        assert clock_seconds(text) is None
    assert clock_seconds("1:00:01,5") == Decimal("3601.5")


def test_times_that_are_no_whole_milliseconds_are_named(tmp_path):
    path = write(tmp_path / "a.eaf", media("a.mp4"), tier("gesture", aligned(1, 1, 4, "wave")))
    path.write_text(path.read_text().replace('"1300"', '"1300.25"'))
    with pytest.raises(InputError, match=r"'1300\.25'.*milliseconds"):
        eaf.read(path)
