"""Unpacking: everything comes out and is listed, within limits, and a killed unpacking goes on."""

import fcntl
import hashlib
import multiprocessing
import os
import random
import shutil
import struct
import time
import zlib
from collections import namedtuple

import pandas as pd
import pytest

from fixtures.zips import RELEASE, files_in, packed, patched, refused
from microgesture.archives.checks import Limits
from microgesture.archives.unpacking import read_checksums, unpack
from microgesture.cli import main
from microgesture.errors import InputError


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


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    archive = packed(tmp_path / "release.zip", RELEASE)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "free")(400_000))
    refused([archive], tmp_path / "out", r"needs 0\.00 GB more for these archives, and its disk has 0\.00 GB free")
    (tmp_path / "out/data/train/0012").mkdir(parents=True)
    (tmp_path / "out/data/train/0012/0012.mp4").write_bytes(RELEASE["data/train/0012/0012.mp4"])
    assert unpack([archive], tmp_path / "out")[0].kept == 1  # what is there needs no room


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
