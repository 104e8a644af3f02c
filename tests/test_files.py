import pytest

from microgesture.files import replacing, write_json


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
