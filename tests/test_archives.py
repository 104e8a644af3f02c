"""Unpacking: what an archive may hold, what it may do to the disk, and that a killed unpacking goes on."""

import fcntl
import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import stat
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections import namedtuple
from pathlib import Path

import pandas as pd
import pytest

from microgesture.archive_checks import Limits
from microgesture.archives import read_checksums, unpack
from microgesture.cli import main
from microgesture.errors import InputError

RELEASE = {
    "data/train/0012/0012_label.csv": b"1,0,9\n99,5,20\n",
    "data/train/0012/0012.mp4": random.Random(0).randbytes(300_000),
    "data/train/0013/empty.xlsx": b"",
    "data/val/résumé.csv": b"0,0,0\n" * 20_000,
}


def packed(path, members, method=zipfile.ZIP_DEFLATED):
    """An archive of members: their bytes by path, or by a ``ZipInfo``."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return path


def patched(path, *changes):
    """The archive with bytes replaced wherever they stand."""
    content = path.read_bytes()
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content)
    return path


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(archives, folder, message, **options):
    """Unpacking is refused in these words, and nothing was written, neither in the folder nor around it."""
    around = folder.parent
    before = files_in(around)
    with pytest.raises(InputError, match=message):
        unpack(archives, folder, **options)
    assert files_in(around) == before


def test_every_member_comes_out_and_is_listed_with_its_checksum(tmp_path):
    archive = packed(tmp_path / "release.zip", {"data/empty/": b"", **RELEASE})
    (result,) = unpack([archive], tmp_path / "out")
    assert (result.files, result.kept, result.size) == (4, 0, sum(map(len, RELEASE.values())))
    written = files_in(tmp_path / "out")
    listing = written.pop("unpacked.csv")
    assert written == RELEASE
    assert (tmp_path / "out/data/empty").is_dir()
    assert listing.startswith(b"archive,member,bytes,sha256\n")
    rows = pd.read_csv(tmp_path / "out/unpacked.csv", keep_default_na=False).itertuples(index=False)
    expected = {"": archive.read_bytes(), **RELEASE}
    assert [tuple(row) for row in rows] == [
        ("release.zip", name, len(content), hashlib.sha256(content).hexdigest()) for name, content in expected.items()
    ]


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


def test_names_in_case_only_are_refused_against_what_was_unpacked_before(tmp_path):
    unpack([packed(tmp_path / "one.zip", {"Train/x.csv": b"1"})], tmp_path / "out")
    two = packed(tmp_path / "two.zip", {"train/y.csv": b"2"})
    refused([two], tmp_path / "out", r"two\.zip: member 'train/y\.csv' differs from 'Train' in case")


def test_the_same_file_in_two_archives_is_unpacked_once_and_another_one_is_refused(tmp_path):
    one = packed(tmp_path / "one.zip", {"readme.txt": b"read me", "a.csv": b"1"})
    two = packed(tmp_path / "two.zip", {"readme.txt": b"read me", "b.csv": b"2"})
    odd = packed(tmp_path / "odd.zip", {"readme.txt": b"read you"})
    results = unpack([one, two], tmp_path / "out")
    assert [(result.files, result.kept) for result in results] == [(2, 0), (2, 1)]
    refused([one, odd], tmp_path / "new", r"odd\.zip: member 'readme\.txt' is another file in .*one\.zip")
    refused([odd], tmp_path / "out", r"odd\.zip: member 'readme\.txt' differs from .*out/readme\.txt, which is not")
    assert len(pd.read_csv(tmp_path / "out/unpacked.csv")) == 6  # two archives with two members each


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


def test_two_unpackings_into_one_folder_do_not_meet(tmp_path):
    archive = packed(tmp_path / "release.zip", RELEASE)
    out = tmp_path / "out"
    out.mkdir()
    other = os.open(out, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    refused([archive], out, r"another unpacking into .*out is under way; wait")
    os.close(other)
    unpack([archive], out)
    refused([archive], archive, r"release\.zip is no folder; unpack into another one")


def test_limits_are_refused_by_name_and_can_be_raised(tmp_path):
    archive = packed(tmp_path / "large.zip", {"a.bin": bytes(3_000_000), "b.bin": bytes(3_000_000)})
    for limits, message in (
        (Limits(members=1), r"large\.zip has more than 1 members; raise --max-members"),
        (Limits(member_bytes=2_999_999), r"member 'a\.bin' is larger than 2,999,999 bytes; raise --max-file"),
        (Limits(total_bytes=5_999_999), r"member 'b\.bin' brings everything to more than 5,999,999 .*--max-total"),
        (Limits(any_ratio_bytes=10**6), r"member 'a\.bin' becomes more than 100 times as large .*--max-ratio"),
        (Limits(any_ratio_bytes=5 * 10**6), r"member 'b\.bin' and those before it become more than 100 times the arch"),
    ):
        refused([archive], tmp_path / "out", message, limits=limits)
    unpack([archive], tmp_path / "out", Limits(2, 3_000_000, 6_000_000, 2000, 10**6))
    assert files_in(tmp_path / "out")["b.bin"] == bytes(3_000_000)


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


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    archive = packed(tmp_path / "release.zip", RELEASE)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "free")(400_000))
    refused([archive], tmp_path / "out", r"needs 0\.00 GB more for these archives, and its disk has 0\.00 GB free")
    (tmp_path / "out/data/train/0012").mkdir(parents=True)
    (tmp_path / "out/data/train/0012/0012.mp4").write_bytes(RELEASE["data/train/0012/0012.mp4"])
    assert unpack([archive], tmp_path / "out")[0].kept == 1  # what is there needs no room


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


def encrypted(path, name, content, password):
    """An archive with one stored member in the old encryption of PKWARE's APPNOTE.TXT, section 6.1."""

    def step(crc, byte):
        return zlib.crc32(bytes([byte]), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte):
        keys[0] = step(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = step(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    crc, hidden = zlib.crc32(content), bytearray()
    for byte in bytes(11) + bytes([crc >> 24]) + content:
        key = keys[2] | 2
        hidden.append(byte ^ (key * (key ^ 1) >> 8 & 255))
        update(byte)
    common = struct.pack("<HHHHHIIIHH", 20, 1, 0, 0, 33, crc, len(hidden), len(content), len(name), 0)
    local = b"PK\3\4" + common + name + hidden
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    path.write_bytes(local + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0))
    return path


def status(command):
    """What the command's process would end with."""
    try:
        return main(command)
    except SystemExit as ended:
        return ended.code


def test_a_password_comes_from_the_environment(tmp_path, monkeypatch, capsys):
    archive = encrypted(tmp_path / "secret.zip", b"a.csv", b"1,2,3\n", b"open sesame")
    command = ["unpack", str(archive), "--to", str(tmp_path / "out")]
    monkeypatch.delenv("MICROGESTURE_ARCHIVE_PASSWORD", raising=False)
    assert status(command) == 1
    assert "set MICROGESTURE_ARCHIVE_PASSWORD" in capsys.readouterr().err
    monkeypatch.setenv("MICROGESTURE_ARCHIVE_PASSWORD", "wrong")
    assert status(command) == 1
    assert "secret.zip: member 'a.csv' is broken" in (said := capsys.readouterr().err)
    assert "the password is wrong" in said
    monkeypatch.setenv("MICROGESTURE_ARCHIVE_PASSWORD", "open sesame")
    assert status(command) == 0
    assert files_in(tmp_path / "out")["a.csv"] == b"1,2,3\n"
    refused([archive], tmp_path / "new", r"secret\.zip has encrypted members; give its password")


def test_newer_encryption_is_told_from_a_broken_archive(tmp_path):
    archive = encrypted(tmp_path / "secret.zip", b"a.csv", b"1,2,3\n", b"open sesame")
    version, flag = struct.pack("<HH", 20, 1), struct.pack("<HHH", 20, 1, 99)
    refused(
        [patched(archive, (version + b"\0\0", flag))], tmp_path / "out", "is encrypted with AES, which Python cannot"
    )


def test_checksums_are_held_against_archives_and_members(tmp_path):
    archive = packed(tmp_path / "release.zip", RELEASE)
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    label = "data/train/0012/0012_label.csv"
    sums = tmp_path / "SHA256SUMS"
    sums.write_text(f"{right} *release.zip\n{hashlib.sha256(RELEASE[label]).hexdigest().upper()}  ./{label}\n\n")
    assert list(read_checksums(sums)) == ["release.zip", label]
    unpack([archive], tmp_path / "out", checksums=read_checksums(sums))
    for wrong, message in (
        ({"release.zip": "0" * 64}, rf"release\.zip has the SHA-256 {right}, and the list has 0{{64}}; get the right"),
        ({archive.as_posix(): "0" * 64}, r"release\.zip has the SHA-256"),
        (
            {label: "0" * 64},
            rf"release\.zip: member '{label}' has the SHA-256 .* the list has 0{{64}}; get the archive",
        ),
        ({"other.zip": right}, "none of the 1 names in the list of checksums, such as 'other.zip'"),
    ):
        refused([archive], tmp_path / "new", message, checksums=wrong)
        refused([archive], tmp_path / "out", message, checksums=wrong)  # also where everything is there already
    sums.write_text("the archive is good\n")
    with pytest.raises(InputError, match=r"SHA256SUMS, line 1 is no checksum"):
        read_checksums(sums)


def test_an_unpacking_that_is_killed_goes_on_and_writes_no_file_twice(tmp_path):
    chance = random.Random(0)
    members = {f"clips/{number:03d}.mp4": chance.randbytes(50_000) for number in range(12)}
    archive = packed(tmp_path / "release.zip", members)
    started = time.monotonic()
    unpack([archive], tmp_path / "uninterrupted")
    seconds = time.monotonic() - started
    expected = files_in(tmp_path / "uninterrupted")
    interrupted = 0
    for _ in range(20):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        process = multiprocessing.get_context("fork").Process(target=unpack, args=([archive], tmp_path / "out"))
        process.start()
        time.sleep(chance.uniform(0, seconds))
        process.kill()
        process.join()
        finished = {path: path.stat().st_ino for path in (tmp_path / "out").glob("clips/*.mp4")}
        assert all(path.read_bytes() == members[f"clips/{path.name}"] for path in finished)
        (result,) = unpack([archive], tmp_path / "out")
        assert result.kept == len(finished)
        assert {path: path.stat().st_ino for path in finished} == finished
        assert files_in(tmp_path / "out") == expected
        assert not (tmp_path / "out/.unpacking").exists()
        interrupted += 0 < len(finished) < len(members)
    assert interrupted


def test_the_command_says_what_it_did(tmp_path, capsys):
    archive = packed(tmp_path / "release.zip", RELEASE)
    command = ["unpack", str(archive), "--to", str(tmp_path / "out")]
    assert status(command) == 0
    assert "release.zip: 4 files, 0.000 GB\n" in capsys.readouterr().out
    assert status(command) == 0
    assert "release.zip: 4 files, 0.000 GB, 4 of them were there\n" in (said := capsys.readouterr()).out
    assert f"listed in {tmp_path / 'out/unpacked.csv'}" in said.out
    assert "unpack release.zip: 4 members" in said.err
    assert status([*command, "--max-members", "3"]) == 1
    assert "has more than 3 members; raise --max-members" in capsys.readouterr().err
