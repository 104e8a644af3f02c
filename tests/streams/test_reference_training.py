"""The training loop beside plain training: losses, rates and weights after every step of whole small trainings."""

import json

import numpy as np
import pytest
import torch

from fixtures.reference_training import Tiny, train_plainly
from fixtures.training_clips import make_clips, make_step, write_shards
from microgesture.machine.resources import Resources
from microgesture.storage.clips import Clips
from microgesture.streams.augment import network_input
from microgesture.streams.batches import load_batches
from microgesture.streams.order import epoch_batches
from microgesture.streams.samples import ClipDataset
from microgesture.streams.train import train
from microgesture.streams.weights import load_weights

CPU = torch.device("cpu")
CLASSES = ("wave", "nod", "shrug")
LABELS = [0, 0, 0, 1, 0, 2, 1, 0]  # unequal, so that weights of classes matter
# Three steps an epoch, of 2, 3 and 3 clips; large enough moves for a fault of a thousandth to be seen.
PLAIN = {"optimizer": "sgd", "learning_rate": 0.2, "epochs": 1, "batch_size": 3, "weight_decay": 0, "clip_norm": None}
TERMS = ({"name": "semantic", "weight": 3.0}, {"name": "cross_entropy", "weight": 0.5, "focal_gamma": 1.5})
OPTIONS = {
    "momentum": {},
    "clipping": {"clip_norm": 0.3},
    "a norm below the limit": {"clip_norm": 40.0},
    "weight decay": {"weight_decay": 0.3},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.02, "weight_decay": 0.5, "clip_norm": 0.3},
    "slow backbone": {"backbone_scale": 0.1, "weight_decay": 0.1},
    "cosine": {"epochs": 2},
    "warm-up": {"epochs": 2, "warmup_epochs": 1.5},
    "steps": {"epochs": 3, "schedule": "steps", "decay_epochs": (1, 2)},
    "repeats": {"repeats": 2},
    "balanced": {"sampling": "balanced"},
    "class weights and smoothing": {"class_weights": "sqrt", "label_smoothing": 0.2},
    "focal": {"focal_gamma": 2.0},
    "focal with all else": {"focal_gamma": 0.5, "class_weights": "sqrt", "label_smoothing": 0.1},
    "semantic": {"semantic_weight": 6.0},
    "terms": {"losses": TERMS, "clip_norm": 0.5, "weight_decay": 0.1},
}


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("clips"), ("rgb",), LABELS)


def compare(folder, shards, recipe, paths=1):
    """Train both ways from the same weights on the same inputs, and compare what can be seen from outside."""
    step = make_step("rgb", keep_checkpoint="last", crop_area=(0.6, 1), **PLAIN | recipe)
    clips = Clips(make_clips(["train"] * 8, LABELS).table, CLASSES, CLASSES)
    files = folder / "model.safetensors", folder / "card.json", folder / "scratch"
    train(clips, shards, step, lambda settings, channels, classes, *_: Tiny(classes, paths), *files, Resources("cpu"))
    card, learnt = json.loads(files[1].read_text()), load_weights(files[0])[0]

    torch.manual_seed(step.seed)
    network = Tiny(3, paths)
    before = {name: parameter.detach().clone() for name, parameter in network.named_parameters()}
    data = ClipDataset(clips.table, shards, step, training=True)
    steps = [
        [
            (*network_input(batch, step.inputs, step.recipe, None), batch.label)
            for batch in load_batches(data, epoch_batches(LABELS, step.recipe, step.seed, epoch), CPU)
        ]
        for epoch in range(step.recipe.epochs)
    ]
    expected = train_plainly(network, steps, step.recipe, [5, 2, 1])
    each = len(steps[0])
    assert [done["epoch"] for done in card["history"]] == list(range(step.recipe.epochs))
    for epoch, done in enumerate(card["history"]):
        own = slice(epoch * each, (epoch + 1) * each)
        assert done["train_loss"] == pytest.approx(np.mean(expected.losses[own]), rel=1e-5)
        assert done["learning_rate"] == pytest.approx(expected.rates[own][-1])
    for name, parameter in expected.parameters.items():
        torch.testing.assert_close(learnt[name].double(), parameter, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(learnt[name], before[name], atol=1e-3), name


@pytest.mark.parametrize("micro_batch_size", [None, 1])
@pytest.mark.parametrize("recipe", OPTIONS.values(), ids=OPTIONS)
def test_training_takes_the_steps_of_plain_training(tmp_path, shards, recipe, micro_batch_size):
    compare(tmp_path, shards, recipe | {"micro_batch_size": micro_batch_size})


@pytest.mark.parametrize("micro_batch_size", [None, 2])
def test_the_losses_of_two_paths_are_added(tmp_path, shards, micro_batch_size):
    recipe = {"class_weights": "sqrt", "label_smoothing": 0.1, "focal_gamma": 1.0}
    compare(tmp_path, shards, recipe | {"micro_batch_size": micro_batch_size}, paths=2)
