# Definitions for all rules: the plan of the configuration, and the two parameters that trigger reruns.

import re
import sys
from pathlib import Path

from snakemake.common.tbdstring import TBDString
from snakemake.exceptions import WorkflowError

sys.path.insert(0, f"{workflow.basedir}/src")

from microgesture.machine.search_path import (
    leave_out_current_folder,
    refuse_settings_here,
)

leave_out_current_folder()  # also in the commands of the rules

from microgesture.config.modalities import MODALITIES
from microgesture.errors import InputError
from microgesture.storage.strict import read_strict_yaml
from microgesture.config.streams import is_published_name
from microgesture.pose.methods import weight_files
from microgesture.terminal import visible
from microgesture.workflow.claims import (
    claimed_gpus,
    largest_shard,
    shard_memory,
    shard_minutes,
    training_memory,
)
from microgesture.workflow.commands import claimed_threads, prepare, show_summary
from microgesture.storage.clips import PARTS
from microgesture.config.whole import load_config
from microgesture.workflow.encoder_stages import all_features, encoders, features_of
from microgesture.workflow.listings import refresh_listings
from microgesture.workflow.plan import Plan

try:
    refuse_settings_here()
    for file in workflow.configfiles:
        read_strict_yaml(Path(file))  # Snakemake accepts repeated keys
    validated = load_config(config)
    # A job on another machine uses the listing with which the run was planned.
    if workflow.is_main_process:
        for changed in refresh_listings(validated):
            logger.info(visible(changed))
    plan = Plan(validated)
    encoders_used, features_used = encoders(plan.config), all_features(plan.config)
    prepare(plan.config)
    largest_shard(plan.config)  # a damaged listing is named here, without a traceback
except InputError as error:
    raise WorkflowError(visible(str(error)))


def settings(stage, of):
    """The settings of a stage as canonical JSON, without the rest of the configuration."""
    return lambda wildcards: plan.step(stage, wildcards[of]).settings


def stamp(stage, of):
    """A digest of everything that the output of a stage depends on."""
    return lambda wildcards: plan.step(stage, wildcards[of]).stamp


def shard_stamp(modality):
    """The stamp of a shard of a modality."""
    return lambda wildcards: plan.shard_stamp(
        modality, wildcards.corpus, wildcards.shard
    )


def minutes(seconds):
    """The time limit of a job on a shard, from the seconds per clip; unknown until the clips are listed."""

    def claimed(wildcards, attempt):
        clips = largest_shard(plan.config)
        return TBDString() if clips is None else shard_minutes(clips, seconds, attempt)

    return claimed


def gpus(count=1):
    """The GPUs of a job. A dry run tells what a cluster would get, since it does not know where jobs would run."""
    return lambda wildcards: claimed_gpus(
        plan.config, count, workflow.local_exec and not workflow.dryrun
    )


def memory(process_mb):
    """The memory limit of a job on a shard: the memory of the process, and the shard that it reads."""
    return lambda wildcards, input, attempt: shard_memory(
        input.size_mb, attempt, process_mb
    )


def shards(kind, corpus, part=None):
    """All shard files of one kind of a corpus, or of a part of it."""
    return expand(
        "results/{kind}/{corpus}/{shard}.arrow",
        kind=kind,
        corpus=corpus,
        shard=plan.shards_of(part),
    )


def all_shards(kind):
    """All shard files of one kind that the configuration needs."""
    return [
        path
        for corpus in plan.config.corpora
        if kind in plan.kinds(corpus)
        for path in shards(kind, corpus)
    ]


def modality_inputs(modality):
    """The inputs of a modality: the clips table, shards of other kinds, and the weights of a network."""

    def inputs(wildcards):
        weights = plan.config.modality(modality.name).weights_file
        return {
            "clips": (
                [f"results/measured/{wildcards.corpus}/{wildcards.shard}.parquet"]
                if modality.reads_clips
                else []
            ),
            "shards": [
                f"results/{kind}/{wildcards.corpus}/{wildcards.shard}.arrow"
                for kind in plan.sources(modality.name, wildcards.corpus)
            ],
            "weights": weights_file(weights),
        }

    return inputs


def modality_options(wildcards, input):
    """The options with the inputs of a modality."""
    clips = ["--clips", input.clips, "--shard", wildcards.shard] if input.clips else []
    return clips + (["--weights", input.weights] if input.weights else [])


def is_learned(modality):
    """Whether a network computes a modality."""
    return plan.config.modality(modality.name).is_learned


def pose_networks(corpus):
    """The files of the networks that find the keypoints of a corpus, if a folder of the user has them."""
    return [
        str(path) for path in weight_files(plan.config.corpora[corpus].pose_weights)
    ]


def stream_clips(wildcards):
    """All clips of the stream's corpus."""
    return f"results/clips/{plan.config.streams[wildcards.stream].corpus}.parquet"


def stream_shards(wildcards, part=None):
    """The shards of the stream's inputs, of all clips or of a part of them."""
    if features := features_of(plan.config, wildcards.stream):
        return shards("features", features, part)
    corpus = plan.config.streams[wildcards.stream].corpus
    return [
        path
        for kind in plan.stores(wildcards.stream)
        for path in shards(kind, corpus, part)
    ]


def training_clips(wildcards):
    """The clips on which the stream is trained: those of train and val, or all with pseudo-labels of test clips."""
    corpus, part = (
        plan.config.streams[wildcards.stream].corpus,
        plan.trained_on(wildcards.stream),
    )
    return f"results/clips/{corpus}/{part}.parquet" if part else stream_clips(wildcards)


def training_shards(wildcards):
    """The shards on which the stream is trained."""
    return stream_shards(wildcards, plan.trained_on(wildcards.stream))


def fold_clips(wildcards):
    """The clips of train and val, which are divided into folds."""
    corpus = plan.config.streams[wildcards.stream].corpus
    return f"results/clips/{corpus}/train.parquet"


def fold_shards(wildcards):
    """The shards of the clips that are divided into folds."""
    return stream_shards(wildcards, "train")


def stream_init(wildcards):
    """The weights of the streams that the stream starts from."""
    stream = plan.config.streams[wildcards.stream]
    models = [
        f"results/streams/{parent}/model.safetensors" for parent in stream.parents
    ]
    return models + pretrained(stream)


def pretrained(stream):
    """The weights of the pretraining that a stream starts from."""
    name = stream.pretraining
    return [f"results/pretraining/{name}/model.safetensors"] if name else []


def pretraining_parts(wildcards, folder, suffix):
    """The files of the clips of a pretraining, of one kind: a file for each shard of each of its corpora."""
    pretraining = plan.config.pretraining[wildcards.pretraining]
    return expand(
        "results/{folder}/{corpus}/{shard}.{suffix}",
        folder=folder,
        corpus=pretraining.corpora,
        shard=plan.shards_of(None if pretraining.test_clips else "train"),
        suffix=suffix,
    )


def pretraining_clips(wildcards):
    """The clips of a pretraining, without labels."""
    return pretraining_parts(wildcards, "measured", "parquet")


def pretraining_shards(wildcards):
    """The keypoints of a pretraining."""
    return pretraining_parts(wildcards, "keypoints", "arrow")


def fold_init(wildcards):
    """The same for a fold: the parents on the same corpus are also trained without the subjects of the fold."""
    return [
        f"results/streams/{parent}/{f'fold{wildcards.fold}/' if same else ''}model.safetensors"
        for parent, same in plan.fold_parents(wildcards.stream).items()
    ] + pretrained(plan.config.streams[wildcards.stream])


def stream_weights(wildcards):
    """The published weights that the stream starts from: downloaded by their name, a file, or those of its encoder."""
    stream = plan.config.streams[wildcards.stream]
    if (
        stream.network.has_encoder
        and not stream.network.sees_features
        and not stream.init
    ):
        return encoder_files(wildcards.stream)[1]
    return weights_file(stream.weights)


def encoder_files(stream):
    """The description and the weights of the pretrained encoder of a stream."""
    name = plan.config.streams[stream].network.encoder.file_name
    return [f"results/encoders/{name}.{suffix}" for suffix in ("json", "safetensors")]


def stream_encoder(wildcards):
    """The description of the pretrained encoder of the stream; none for other networks."""
    stream = wildcards.stream
    return (
        encoder_files(stream)[:1]
        if plan.config.streams[stream].network.has_encoder
        else []
    )


def encoder_options(wildcards, input):
    """The option with the description of a pretrained encoder."""
    return ["--encoder", *input.encoder] if input.encoder else []


def frames_of_features(wildcards):
    """The shard of video frames from which a shard of features is computed."""
    stream = plan.config.streams[features_used[wildcards.features]]
    return f"results/{stream.input}/{stream.corpus}/{wildcards.shard}.arrow"


def weights_file(weights):
    """The file of published weights; for a name of torchvision's weights, the path of their download."""
    if weights is None:
        return []
    named = is_published_name(weights)
    return f"results/weights/{weights}.safetensors" if named else weights


def stream_pseudo_labels(wildcards):
    """The pseudo-labels of test clips on which the stream is trained."""
    ensemble = plan.config.streams[wildcards.stream].pseudo_labels
    return f"results/ensembles/{ensemble}/pseudo_labels.csv" if ensemble else []


def start_options(wildcards, input):
    """The options with the weights that a training starts from, and with its pseudo-labels."""
    options = [part for path in input.init for part in ("--init", path)]
    if input.weights:
        options += ["--weights", input.weights]
    options += encoder_options(wildcards, input)
    if input.get("pseudo_labels"):
        options += ["--pseudo-labels", input.pseudo_labels]
    return options


def ensemble_clips(ensemble):
    """The clips table of the ensemble's corpus."""
    return f"results/clips/{plan.corpus_of(ensemble)}.parquet"


def ensemble_calibration(wildcards):
    """The ensemble whose temperatures and weights are used."""
    source = plan.config.ensembles[wildcards.ensemble].calibration_from
    return f"results/ensembles/{source}/fusion.json" if source else []


def ensemble_scores(*splits):
    """The scores of the ensemble's streams, in the order of the configuration."""
    return lambda wildcards: expand(
        "results/scores/{stream}/{split}.parquet",
        stream=plan.config.ensembles[wildcards.ensemble].streams,
        split=splits,
    )


def submitted_predictions(wildcards):
    """The predictions of the submission's ensemble for its corpus; none for other corpora."""
    ensemble = plan.config.submission.ensemble
    parts = ("held_out", "val", "test")
    own = plan.corpus_of(ensemble) == wildcards.corpus
    return (
        expand("results/ensembles/{name}/{part}.parquet", name=ensemble, part=parts)
        if own
        else []
    )


def test_rows():
    """The predictions of the rows of the ablation table for the test clips."""
    names = [row.name for row in plan.ablation]
    ensembles = [name in plan.config.ensembles for name in names]
    folders = ["ensembles" if joined else "scores" for joined in ensembles]
    return expand(
        "results/{folder}/{name}/test.parquet", zip, folder=folders, name=names
    )


def ablation_rows():
    """The predictions on which the rows of the ablation table are measured."""
    splits = [f"fold{fold}" for fold in plan.folds] or ["val"]
    return [
        path
        for name in (row.name for row in plan.held_out)
        for path in (
            [f"results/ensembles/{name}/held_out.parquet"]
            if name in plan.config.ensembles
            else expand(
                "results/scores/{name}/{split}.parquet", name=name, split=splits
            )
        )
    ]
