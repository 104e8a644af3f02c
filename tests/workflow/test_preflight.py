import copy
import re

import pandas as pd
import pytest
import yaml

from fixtures.project import TINY
from microgesture.cli import main
from microgesture.errors import InputError
from microgesture.storage.clips import SCHEMA, Clips, write_clips
from microgesture.storage.files import write_json
from microgesture.workflow.preflight import estimate_run, first_shards
from microgesture.workflow.read_plan import read_plan

FRAMES = {0: 100, 1: 300, 2: 0, 3: 600}  # of the usable clips in each shard


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """A run of which only the clips are listed."""
    monkeypatch.chdir(tmp_path)
    config = copy.deepcopy(TINY)
    config["shards"] = len(FRAMES)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    rows = [
        {"clip_id": f"c{shard}", "shard": shard, "n_frames": count, "status": "ok"} for shard, count in FRAMES.items()
    ]
    rows.append({"clip_id": "bad", "shard": 2, "n_frames": 10**6, "status": "quarantined"})
    table = pd.DataFrame(rows, columns=SCHEMA.names)
    table = table.fillna({name: 0 for name in ("start", "end", "video_start", "skeleton_start", "fps")})
    write_clips(tmp_path / "results/clips/imigue.parquet", Clips(table, ("a",), ("a",)))
    return read_plan(tmp_path / "config.yaml")


def make_shard(tmp_path, kind, shard, size, seconds=None):
    path = tmp_path / f"results/{kind}/imigue/{shard}.arrow"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    if seconds is not None:
        benchmark = tmp_path / f"results/benchmarks/{kind}/imigue/{shard}.tsv"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t100.5\n")


def estimates(plan):
    return {estimate.stage: estimate for estimate in estimate_run(plan)}


def test_a_stage_is_estimated_by_the_frames_that_are_left(plan, tmp_path):
    make_shard(tmp_path, "rgb", "0000", 1000, seconds=36)
    rgb = estimates(plan)["rgb"]
    assert (rgb.done, rgb.to_do, rgb.bytes_now) == (1, 3, 1000)
    assert rgb.bytes_to_come == pytest.approx(9000)
    assert rgb.hours_to_come == pytest.approx(0.09)
    assert rgb.largest == pytest.approx(6000)


def test_all_shards_that_are_there_say_something(plan, tmp_path):
    make_shard(tmp_path, "rgb", "0000", 1000, seconds=40)
    make_shard(tmp_path, "rgb", "0001", 1000, seconds=40)
    make_shard(tmp_path, "rgb", "0002", 700)  # without frames a shard has only its overhead
    rgb = estimates(plan)["rgb"]
    assert rgb.bytes_to_come == pytest.approx(3000)
    assert rgb.hours_to_come == pytest.approx(120 / 3600)


def test_what_is_finished_needs_no_more(plan, tmp_path):
    for shard in range(4):
        make_shard(tmp_path, "flow", f"{shard:04d}", 10)
    flow = estimates(plan)["flow"]
    assert (flow.bytes_to_come, flow.hours_to_come, flow.largest) == (0, 0, 0)


def test_a_kind_of_training_that_is_not_known_yet_is_as_slow_as_the_slowest(plan, tmp_path):
    folder = tmp_path / "results/streams/joint"
    write_json(folder / "card.json", {"seconds": 7200})
    (folder / "model.safetensors").write_bytes(bytes(5000))
    trained = {one.name: one for one in estimate_run(plan) if one.stage == "train"}
    assert (trained["poseconv3d"].done, trained["poseconv3d"].to_do, trained["poseconv3d"].hours_to_come) == (1, 0, 0)
    assert (trained["video_swin"].done, trained["video_swin"].to_do, trained["video_swin"].hours_to_come) == (0, 1, 2)


def test_where_nothing_is_there_yet_a_shard_of_middling_size_is_to_be_made(plan, tmp_path, capsys):
    make_shard(tmp_path, "skeletons", "0001", 10)
    make_shard(tmp_path, "keypoints", "0001", 10, seconds=1)
    wanted = ["results/rgb/imigue/0001.arrow", "results/flow/imigue/0001.arrow"]
    assert first_shards(plan, estimate_run(plan)) == wanted
    with pytest.raises(SystemExit, match="0"):
        main(["preflight"])
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert re.search(rf"snakemake --cores \d+ {' '.join(wanted)}", printed)
    assert "still needs at least" in printed


def test_a_run_that_does_not_fit_is_warned_of(plan, tmp_path, monkeypatch, capsys):
    for kind in ("skeletons", "keypoints", "rgb", "flow"):
        make_shard(tmp_path, kind, "0000", 1_000_000, seconds=1)
    monkeypatch.setattr("microgesture.workflow.preflight.free_bytes", lambda path: 37_000_000)
    with pytest.raises(SystemExit, match="1"):
        main(["preflight", "--cores", "2"])
    printed = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "still needs at least 48.0 MB; 37.0 MB are free" in printed  # 4 x 9 MB, and 6 MB beside each of 2 jobs
    assert "It does not fit: free 11.0 MB more" in printed


def test_without_a_list_of_clips_nothing_can_be_said(plan, tmp_path):
    (tmp_path / "results/clips/imigue.parquet").unlink()
    with pytest.raises(InputError, match=r"clips/imigue\.parquet does not exist.*target clips"):
        estimate_run(plan)


def test_features_are_estimated_by_the_frames_of_their_corpus(plan, tmp_path):
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    network = {"name": "pretrained_video", "model": "owner/model"}
    config["streams"]["flow"] = {"corpus": "imigue", "input": "rgb", "network": network, "recipe": "probe"}
    config["recipes"]["probe"] = {"epochs": 1}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    plan = read_plan(tmp_path / "config.yaml")
    (name,) = [estimate.name for estimate in estimate_run(plan) if estimate.stage == "features"]
    path = tmp_path / f"results/features/{name}/0000.arrow"
    assert f"results/features/{name}/0001.arrow" in first_shards(plan, estimate_run(plan))
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(200))
    assert estimates(plan)["features"].bytes_to_come == pytest.approx(1800)
