"""What an archive may not do: leave its folder, fill the disk or the memory, or lose a file silently."""

import multiprocessing
import random
import resource
import shutil
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from fixtures.zips import RELEASE, files_in, packed, patched, refused
from microgesture.archives.checks import Limits
from microgesture.archives.unpacking import unpack
from microgesture.errors import InputError


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../canary", r"leaves the folder with '\.\.'"),
        ("a/../../canary", r"leaves the folder with '\.\.'"),
        ("/tmp/canary", "is an absolute path"),
        ("C:canary", "a backslash, a colon or a control character"),
        ("C:/canary", "a backslash, a colon or a control character"),
        ("..\\canary", "a backslash, a colon or a control character"),
        ("a\ncanary", "a backslash, a colon or a control character"),
        ("a\x1b[2Jcanary", "a backslash, a colon or a control character"),
        ("a//canary", r"an empty part or a '\.'"),
        ("./canary", r"an empty part or a '\.'"),
        ("x" * 250, "a name of more than 240 bytes"),
        ("é" * 130, "a name of more than 240 bytes"),
        ("unpacked.csv", "has the name of a file of this program"),
        (".unpacking", "has the name of a file of this program"),
        (".unpacking/canary", "makes '.unpacking' a folder, which is a file already"),
        ("Unpacked.CSV", "differs from 'unpacked.csv' in case or accents only"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path, name, reason):
    archive = packed(tmp_path / "bad.zip", {"first.csv": b"1", name: b"2"})
    refused([archive], tmp_path / "deep/out", rf"(?s)bad\.zip: member .*{reason}.*; (do not use|unpack)")
    assert not Path("/tmp/canary").exists()


def test_a_name_that_goes_on_behind_a_nul_is_refused(tmp_path):
    archive = patched(packed(tmp_path / "bad.zip", {"safe_.csv": b"1"}), (b"safe_", b"safe\0"))
    refused([archive], tmp_path / "out", "member 'safe' has a backslash, a colon or a control character")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_are_refused(tmp_path, kind):
    info = zipfile.ZipInfo("data/odd")
    info.external_attr = (kind | 0o777) << 16
    archive = packed(tmp_path / "bad.zip", [("first.csv", b"1"), (info, b"/etc/passwd")])
    refused(
        [archive], tmp_path / "out", r"bad\.zip: member 'data/odd' is a link, a device or .*packed again without it"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("a/x.csv", "a/x.csv", "is there twice"),
        ("a/x.csv", "a/X.csv", "differs from 'a/x.csv' in case or accents only"),
        ("a/x.csv", "A/y.csv", "differs from 'a' in case or accents only"),
        ("stra\u00dfe.csv", "STRASSE.csv", "in case or accents only"),
        ("caf\u00e9.csv", "cafe\u0301.csv", "in case or accents only"),
        ("a", "a/x.csv", "makes 'a' a folder, which is a file already"),
        ("a/x.csv", "a", "makes 'a' a file, which is a folder already"),
    ],
)
def test_members_that_are_one_file_on_some_disk_are_refused(tmp_path, first, second, reason):
    refused([packed(tmp_path / "bad.zip", [(first, b"1"), (second, b"2")])], tmp_path / "out", rf"member .*{reason}")
    if first != second:
        archives = [packed(tmp_path / "one.zip", {first: b"1"}), packed(tmp_path / "two.zip", {second: b"2"})]
        refused(archives, tmp_path / "out", rf"two\.zip: member .*{reason}")


def test_nothing_that_is_there_is_overwritten_or_followed(tmp_path):
    archive = packed(tmp_path / "release.zip", RELEASE)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "data").mkdir(parents=True)
    elsewhere.mkdir()
    (out / "data/train").symlink_to(elsewhere)
    refused([archive], out, r"would follow a link out of .*out; remove the link")
    (out / "data/train").unlink()
    (out / "data/train").write_bytes(b"mine")
    refused([archive], out, r"needs the folder .*train.*, where a file is; move it away")
    (out / "data/train").unlink()
    (elsewhere / "label.csv").write_bytes(RELEASE["data/train/0012/0012_label.csv"])
    (out / "data/train/0012").mkdir(parents=True)
    (out / "data/train/0012/0012_label.csv").symlink_to(elsewhere / "label.csv")
    refused([archive], out, r"member '.*0012_label\.csv' differs from .*, which is not overwritten")


def test_more_members_than_two_bytes_can_count(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 11)  # so that 12 are written as 65,536 would be
    archive = packed(tmp_path / "many.zip", {f"{number}.csv": b"" for number in range(12)})
    patched(archive, (b"PK\5\6" + struct.pack("<HHHH", 0, 0, 12, 12), b"PK\5\6\0\0\0\0\xff\xff\xff\xff"))
    assert unpack([archive], tmp_path / "out")[0].files == 12
    patched(archive, (struct.pack("<QQ", 12, 12), struct.pack("<QQ", 13, 13)))
    refused([archive], tmp_path / "out", r"many\.zip lists 12 members and says that it has 13; get it again")


def test_a_table_of_contents_beyond_all_bounds_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "flood.zip", "w") as archive:
        for number in range(200):
            info = zipfile.ZipInfo(f"{number}.csv")
            info.comment = b"x" * 65_000
            archive.writestr(info, b"")
    tracemalloc.start()
    refused([tmp_path / "flood.zip"], tmp_path / "out", "has more than 100 members", limits=Limits(members=100))
    assert tracemalloc.get_traced_memory()[1] < 40_000_000  # of which 13 are the test's copies of the archive
    tracemalloc.stop()


def understated(path, size, said):
    """A member of zeros that says to have fewer bytes than it has, in both of its headers."""
    packed(path, {"bomb.bin": bytes(size)})
    return patched(path, (struct.pack("<I", size), struct.pack("<I", said)))


def in_child(folder, function, *arguments, file_bytes=None):
    """Whether a function succeeded in a process of its own that can write no larger file."""

    def call():
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        function(*arguments)

    process = multiprocessing.get_context("fork").Process(target=call)
    process.start()
    process.join()
    return process.exitcode == 0


def test_a_bomb_takes_no_more_memory_or_disk_than_it_admits(tmp_path):
    honest = packed(tmp_path / "honest.zip", {"bomb.bin": bytes(150_000_000)})
    refused([honest], tmp_path / "out", r"member 'bomb\.bin' becomes more than 100 times as large")
    lying = understated(tmp_path / "lying.zip", 50_000_000, 1000)

    def bounded():
        tracemalloc.start()
        with pytest.raises(InputError, match=r"member 'bomb\.bin' is broken \(Bad CRC-32"):
            unpack([lying], tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000

    assert in_child(tmp_path, bounded, file_bytes=1000)
    assert files_in(tmp_path / "out") == {}


def test_more_bytes_than_were_said_are_never_written(tmp_path, monkeypatch):
    archive = packed(tmp_path / "release.zip", {"a.csv": b"12345"})

    def endless(self, info):
        return open("/dev/zero", "rb")

    monkeypatch.setattr(zipfile.ZipFile, "open", endless)
    with pytest.raises(InputError, match=r"member 'a\.csv' has not the 5 bytes that it should"):
        unpack([archive], tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


def test_a_member_that_was_damaged_is_named_and_what_came_before_it_stays(tmp_path):
    archive = packed(tmp_path / "release.zip", RELEASE, zipfile.ZIP_STORED)
    good = archive.read_bytes()
    patched(archive, (RELEASE["data/train/0012/0012.mp4"][5000:5010], bytes(10)))
    with pytest.raises(InputError, match=r"member 'data/train/0012/0012\.mp4' is broken \(Bad CRC-32.*get the archive"):
        unpack([archive], tmp_path / "out")
    assert list(files_in(tmp_path / "out")) == ["data/train/0012/0012_label.csv"]
    archive.write_bytes(good)
    assert unpack([archive], tmp_path / "out")[0].kept == 1
    assert RELEASE.items() <= files_in(tmp_path / "out").items()


@pytest.mark.parametrize("part", [0, 0.3, 0.999])
def test_a_truncated_archive_is_told(tmp_path, part):
    archive = packed(tmp_path / "release.zip", RELEASE)
    archive.write_bytes(archive.read_bytes()[: int(part * archive.stat().st_size)])
    refused([archive], tmp_path / "out", r"release\.zip is no zip archive, or a broken one .*; get it again")


def test_any_damage_gives_the_right_files_or_a_refusal(tmp_path):
    whole = packed(tmp_path / "release.zip", {**RELEASE, "data/train/0012/0012.mp4": b"short", "folder/": b""})
    content = whole.read_bytes()
    expected = {**RELEASE, "data/train/0012/0012.mp4": b"short"}
    chance, finished, refusals = random.Random(1), 0, []
    for number in range(120):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        whole.write_bytes(damaged[: chance.randint(1, len(damaged)) if number % 5 == 0 else None])
        out = tmp_path / f"out{number}/deep"
        try:
            unpack([whole], out)
        except InputError as error:
            refusals.append(str(error))
            assert files_in(out.parent).items() <= {f"deep/{path}": each for path, each in expected.items()}.items()
        else:
            finished += 1
            written = files_in(out)
            del written["unpacked.csv"]
            assert written == expected
        assert {path.name for path in tmp_path.iterdir()} <= {"release.zip", out.parent.name}
        shutil.rmtree(out.parent, ignore_errors=True)
    assert 0 < finished < 60
    assert all("release.zip" in refusal for refusal in refusals)


def test_packing_methods_without_bounds_are_refused(tmp_path):
    archive = packed(tmp_path / "bad.zip", {"a.csv": bytes(100_000)}, zipfile.ZIP_BZIP2)
    refused([archive], tmp_path / "out", r"member 'a\.csv' is packed with method 12.*'7z x bad\.zip'")
