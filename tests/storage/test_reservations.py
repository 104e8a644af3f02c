import subprocess
import sys

import pytest

from microgesture.errors import InputError
from microgesture.storage.reservations import reserved

HOLD = """\
import sys, time
from pathlib import Path
from microgesture.storage.reservations import reserved

with reserved(Path(sys.argv[1]), sys.argv[2:]):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_a_name_that_another_process_writes_is_refused_until_that_one_is_gone(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path, "talk", "x" * 250], stdout=subprocess.PIPE)
    assert holder.stdout.readline()
    with pytest.raises(InputError, match="talk"), reserved(tmp_path, ["other", "talk"]):
        pass
    with reserved(tmp_path, ["other"]), reserved(tmp_path / "elsewhere", ["talk"]):
        pass
    holder.kill()
    holder.communicate()
    with reserved(tmp_path, ["talk", "other", "x" * 250]):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
