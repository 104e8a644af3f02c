import pytest

from microgesture.errors import InputError
from microgesture.storage.files import replacing, write_json


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path):
    path = tmp_path / "table.json"
    write_json(path, {"old": 1})

    def fail_half_way():
        with replacing(path) as temporary:
            temporary.write_text("half a fi")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail_half_way()
    assert path.read_text() == '{\n  "old": 1\n}\n'
    assert [file.name for file in tmp_path.iterdir()] == ["table.json"]


def test_what_a_killed_job_left_of_a_file_goes_with_the_next_write(tmp_path):
    killed, other = replacing(tmp_path / "table.json"), replacing(tmp_path / "table.json.json")
    killed.__enter__().write_text("half a fi")  # and never left
    half = other.__enter__()
    half.write_text("another file")
    write_json(tmp_path / "table.json", 1)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == {half, tmp_path / "table.json"}
    other.__exit__(None, None, None)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["table.json", "table.json.json"]


def test_the_first_of_two_jobs_that_write_one_file_fails_and_the_file_is_whole(tmp_path):
    path = tmp_path / "table.json"
    first, second = replacing(path), replacing(path)
    first.__enter__().write_text("first")
    half = second.__enter__()
    half.write_text("sec")
    with pytest.raises(InputError, match=r"table\.json: another process"):
        first.__exit__(None, None, None)
    half.write_text("second")
    second.__exit__(None, None, None)
    assert path.read_text() == "second"
    assert [file.name for file in tmp_path.iterdir()] == ["table.json"]
