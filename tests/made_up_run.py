"""The results of a run that never was, for the tests of what shows results."""

import numpy as np
import pandas as pd

from made_up_scores import made_up_stream
from microgesture.config.report import ReportStep
from microgesture.ensembles.ensemble import HeldOut
from microgesture.ensembles.fusion import Fusion, fuse
from microgesture.ensembles.rules.weighted_mean import WeightedMean
from microgesture.measures.ablation import make_ablation
from microgesture.report.results import Results
from microgesture.storage.clips import SCHEMA, Clips, write_clips
from microgesture.storage.files import write_csv, write_json
from microgesture.storage.scores import Scores, write_scores

STREAMS = ("joint", "rgb", "taylor")


def made_up_clips(clips, classes, names=None, subjects=6):
    """Half of the clips in val, a quarter in train and in test; clip c<n> of val has the label n modulo ``classes``."""
    number_N = np.arange(2 * clips)
    table = pd.DataFrame({column: [None] * len(number_N) for column in SCHEMA.names})
    table["clip_id"] = [f"c{n}" for n in number_N]
    table = table.assign(corpus="made up", start=0, end=9, n_frames=10, video_start=0, skeleton_start=0)
    table = table.assign(fps=25.0, shard=0, status="ok")
    table["split"] = np.where(number_N < clips, "val", np.where(number_N % 2, "train", "test"))
    table["subject"] = [f"s{n // classes % subjects}" for n in number_N]
    table["recording"] = "r" + table.subject
    table["label"] = pd.array(np.where(table.split == "test", None, number_N % classes), "Int32")
    for column in ("width", "height"):
        table[column] = pd.array([None] * len(table), "Int32")
    names = tuple(names or (f"class {k}" for k in range(classes)))
    return Clips(table, names, tuple(map(str, range(classes))))


def made_up_card(stream, epochs=4):
    """A card as a training writes it."""
    history = [
        {"epoch": epoch, "learning_rate": 0.1, "train_loss": 2 / (epoch + 1), "val_loss": 2.5 / (epoch + 1)}
        | {"val_accuracy": epoch / epochs, "val_balanced_accuracy": epoch / (epochs + 1)}
        for epoch in range(epochs)
    ]
    made = {
        "stream": stream,
        "corpus": "made up",
        "inputs": [stream],
        "network": {"name": "agcn"},
        "recipe": {"size": 8},
    }
    made |= {"parameters": 1234, "best_epoch": epochs - 1, "history": history, "seconds": 12.5, "device": "cpu"}
    return made | {"devices": 1, "git_revision": None, "python": "3.11.0", "libraries": {"torch": "2"}, "seed": 0}


def made_up_results(clips=60, classes=6, streams=STREAMS, names=None, quarantined=(), subjects=6, skill=1.0):
    """The step and the results of an ensemble that was measured on val."""
    listed = made_up_clips(clips, classes, names, subjects)
    logits_SNK = np.stack([made_up_stream(seed, clips, classes, skill + seed / 2)[0] for seed in range(len(streams))])
    labels_N = np.arange(clips) % classes
    weights_S = np.arange(1, len(streams) + 1) / sum(range(len(streams) + 1))
    fusion = Fusion(np.linspace(0.6, 1.4, len(streams)), WeightedMean(weights_S))
    ids = tuple(f"c{n}" for n in range(clips))
    said = dict(zip(streams, logits_SNK, strict=True)) | {"final": fuse(logits_SNK, fusion)}
    person_N = listed.table.subject[:clips].to_numpy()
    ablation = make_ablation(dict.fromkeys(said) | {"final": streams[0]}, said, labels_N, person_N, draws=50)
    jobs = [("rgb", "imigue", 2.5, 100.0), ("rgb", "imigue", 3.5, 300.0), ("train", "joint", 12.5, np.nan)]
    results = Results(
        clips=listed,
        held_out=HeldOut(ids, labels_N, logits_SNK, np.zeros(clips, int), [fusion]),
        fusion={
            "ensemble": "final",
            "streams": list(streams),
            **fusion.to_json(streams),
            "fitted_on": {"split": "val", "clips": clips},
        },
        cards={stream: made_up_card(stream) for stream in streams},
        ablation=ablation.round(4),
        quarantine=pd.DataFrame(list(quarantined), columns=["corpus", "stage", "clip_id", "reason"]),
        submission="results/submission.csv",
        submitted_clips=int((listed.table.split == "test").sum()),
        jobs=pd.DataFrame(jobs, columns=["stage", "of", "seconds", "megabytes"]),
    )
    return ReportStep(submitted="final", measured="final", streams=streams), results


def write_results(folder, step, results):
    """Write the files that such results are read from; the options and the arguments of the command that reads them."""
    write_clips(folder / "clips.parquet", results.clips)
    write_json(folder / "fusion.json", results.fusion)
    write_csv(folder / "ablation.csv", results.ablation)
    write_csv(folder / "quarantine.csv", results.quarantine)
    write_csv(folder / "submission.csv", pd.DataFrame({"Id": range(results.submitted_clips)}))
    files = []
    for stream, logits_NK in zip(step.streams, results.held_out.logits_SNK, strict=True):
        said = dict(zip(results.held_out.clip_ids, logits_NK.astype(np.float32), strict=True))
        write_scores(folder / stream / "val.parquet", Scores(said, {}))
        write_json(folder / stream / "card.json", results.cards[stream])
        files += [folder / stream / "val.parquet", folder / stream / "card.json"]
    options = {name: folder / f"{name}.csv" for name in ("ablation", "quarantine", "submission")}
    return options | {"clips": folder / "clips.parquet", "fusion": folder / "fusion.json"}, files
