"""Train a row of sources: for each fold of people a few networks, trained without that fold."""

import logging
import platform
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from ..config.emotion import EmotionStep
from ..ensembles.calibration import fit_temperature
from ..errors import InputError
from ..measures.people import people_folds, person_of
from ..progress import progress
from ..storage.files import write_json
from ..streams.card import LIBRARIES, git_revision
from .forecast import Forecast, has_tokens, new_network, save_forecast
from .network import EmotionNetwork
from .tokens import Video, shown, together
from .videos import LABELS

log = logging.getLogger(__name__)

WARMUP = 0.3  # fraction of the steps in which the learning rate rises


def learnt_from(videos: pd.DataFrame) -> pd.DataFrame:
    """Return the videos of train and val that have a label."""
    return videos[(videos.split != "test") & videos.label.notna()].reset_index(drop=True)


def deal_people(videos: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """Assign a fold to each labelled video, int (N,), with each person in one fold and both labels spread evenly.

    Raises ``InputError`` if there are too few people, or if the videos outside a fold all have the same label.
    """
    person_N = person_of(videos)
    if person_N.nunique() < folds:
        raise InputError(
            f"the videos with a label have {person_N.nunique()} people (subjects, or recordings if the subject is "
            f"unknown), too few for emotion.folds: {folds}; lower it"
        )
    if (fewest := videos.label.value_counts().reindex(LABELS, fill_value=0).min()) < folds:
        raise InputError(f"win or lose has only {fewest} videos, too few for emotion.folds: {folds}; lower it")
    fold_N = np.zeros(len(videos), int)
    for fold, rows in enumerate(people_folds(videos.label, person_N, folds, seed)):
        fold_N[rows] = fold
    for fold in range(folds):
        if len(one := set(videos.label[fold_N != fold])) < 2:
            raise InputError(f"all videos outside one of the folds have the label '{one.pop()}'; lower emotion.folds")
    return fold_N


def train_emotion(
    videos: pd.DataFrame, tokens: Mapping[str, Video], step: EmotionStep, output: Path, card: Path, device: torch.device
) -> None:
    """Train on the labelled videos of train and val; write the networks of all folds and a card about them.

    Every video is held out from the networks of one fold. The held-out predictions serve to measure all videos and to
    fit one temperature (Guo et al., ICML 2017). The number of epochs is fixed and the threshold is 0.5, so nothing is
    selected on held-out videos. Labels of test videos are not in ``videos``.
    """
    started = time.monotonic()
    learnt = learnt_from(videos)
    fold_N = deal_people(learnt, step.folds, step.seed)
    known_N = np.array([has_tokens(tokens[video_id], step.sources) for video_id in learnt.video_id])
    networks, losses, prior_F = [], [], []
    for fold in range(step.folds):
        rest = learnt[(fold_N != fold) & known_N]
        if rest.label.nunique() < 2:
            raise InputError(
                f"row '{step.row}': the {len(rest)} videos with tokens outside a fold lack one of the labels"
            )
        prior_F.append(float((learnt.label[fold_N != fold] == "win").mean()))
        members = [learn(rest, tokens, step, device, (step.seed, fold, member)) for member in range(step.members)]
        networks.append([network for network, _ in members])
        losses.append([[round(loss, 4) for loss in history] for _, history in members])
    forecast = Forecast(networks, torch.tensor(prior_F)).to(device)
    says_N = [forecast.says(tokens[video_id], fold) for video_id, fold in zip(learnt.video_id, fold_N, strict=True)]
    odds_N = np.log(says_N) - np.log1p(-np.array(says_N))
    win_N = (learnt.label == "win").to_numpy()
    if known_N.any():
        temperature = fit_temperature(np.stack((np.zeros_like(odds_N), odds_N), 1)[known_N], win_N[known_N].astype(int))
        forecast.temperature.fill_(temperature)
    save_forecast(output, forecast, step)
    without = [video_id for video_id in videos.video_id if not has_tokens(tokens[video_id], step.sources)]
    if without:
        log.warning(
            "row '%s': %d videos have no token; their prediction is the fraction of wins: %s",
            step.row,
            len(without),
            ", ".join(without),
        )
    write_json(card, _card(step, learnt, fold_N, win_N, says_N, forecast, losses, without, time.monotonic() - started))


def learn(
    videos: pd.DataFrame, tokens: Mapping[str, Video], step: EmotionStep, device: torch.device, numbers: Sequence[int]
) -> tuple[EmotionNetwork, list[float]]:
    """Train one network on labelled videos; return it and its mean loss in each epoch.

    All random choices depend on ``numbers`` alone. Both labels have the same total weight in the loss. Raises
    ``InputError`` if the loss is not finite.
    """
    recipe = step.recipe
    seed = int(np.random.default_rng(list(numbers)).integers(2**31))
    torch.manual_seed(seed)
    network = new_network(tokens, step).to(device).train()
    win_N = torch.tensor((videos.label == "win").to_numpy(np.float32), device=device)
    share = float(win_N.mean())
    weight_N = torch.where(win_N > 0, 0.5 / share, 0.5 / (1 - share))
    decayed = [parameter for parameter in network.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in network.parameters() if parameter.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )
    steps = -(-len(videos) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, recipe.epochs * steps, pct_start=WARMUP, cycle_momentum=False
    )
    history = []
    title = f"train {step.row} {'.'.join(map(str, numbers[1:]))}"
    for epoch in progress(range(recipe.epochs), title, recipe.epochs, "epoch"):
        order_N = np.random.default_rng([*numbers, epoch]).permutation(len(videos))
        total = 0.0
        for rows in np.array_split(order_N, steps):
            batch = [shown(tokens[video_id], recipe, seed, epoch) for video_id in videos.video_id.iloc[rows]]
            logit_B = network(together(batch, step.sources, device))
            loss_B = functional.binary_cross_entropy_with_logits(logit_B, win_N[rows], reduction="none")
            loss = (loss_B * weight_N[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        history.append(total / len(videos))
        if not np.isfinite(history[-1]):
            raise InputError(f"row '{step.row}': the loss is {history[-1]} in epoch {epoch}; lower learning_rate")
    return network, history


def _card(
    step: EmotionStep,
    learnt: pd.DataFrame,
    fold_N: np.ndarray,
    win_N: np.ndarray,
    says_N: Sequence[float],
    forecast: Forecast,
    losses: list[list[list[float]]],
    without: list[str],
    seconds: float,
) -> dict[str, Any]:
    right_N = (np.array(says_N) >= 0.5) == win_N
    return {
        **step.model_dump(mode="json"),
        "videos": {"win": int(win_N.sum()), "lose": int((~win_N).sum())},
        "people": int(person_of(learnt).nunique()),
        "subjects_known": bool(learnt.subject.notna().all()),
        "fold_of": dict(zip(learnt.video_id, fold_N.tolist(), strict=True)),
        "held_out_balanced_accuracy": float(np.mean([right_N[win_N == label].mean() for label in (False, True)])),
        "temperature": forecast.temperature.item(),
        "share_of_wins": forecast.prior_F.tolist(),
        "videos_without_tokens": without,
        "in_sample": "features and probabilities of the streams' training clips are those of networks that learnt them",
        "parameters": sum(parameter.numel() for parameter in forecast.networks[0][0].parameters()),
        "train_loss": losses,
        "seconds": round(seconds, 1),
        "device": str(forecast.prior_F.device),
        "git_revision": git_revision(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
