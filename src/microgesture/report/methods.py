"""A text about methods and results to paste into a paper."""

import re

import numpy as np

from ..config.ensembles import FUSION_RULES
from ..config.networks import NETWORKS
from ..config.report import ReportStep
from ..measures.people import person_of, shared_in_words
from ..terminal import counted
from .measured import HELD_OUT, TEST, Measured
from .results import Results

SPLITS = {"train": "training", "val": "validation", "test": "testing"}
CITED = re.compile(r"([^.:;]*?\(arXiv \d{4}\.\d{4,5}\))")
CALIBRATED = "calibrated by temperature scaling (arXiv 1706.04599)"


def methods_text(step: ReportStep, results: Results, measured: list[Measured]) -> str:
    """The clips, people and splits, the streams and their fusion, the results with intervals, versions and papers.

    Every number is also on the page. Values that the run does not know are left out.
    """
    paragraphs = [
        f"{_data(step, results)} {_networks(step, results)}",
        " ".join(_result(step, each) for each in measured)
        or "No accuracy was measured, because there are no held-out clips with labels.",
        _software(results),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _data(step: ReportStep, results: Results) -> str:
    table = results.clips.usable
    person = person_of(results.clips.table)[table.index]
    parts = [
        f"{counted(int(own.sum()), 'clip')} of {_people(person[own].nunique())} for {use}"
        for split, use in SPLITS.items()
        if (own := table.split == split).any()
    ]
    corpora = " and ".join(sorted(set(table.corpus)))
    return (
        f"The corpus {corpora} has {counted(len(table), 'usable clip')} of {_people(person.nunique())} in "
        f"{len(results.clips.classes)} classes: {_listed(parts)}."
    )


def _networks(step: ReportStep, results: Results) -> str:
    streams = step.submitted_streams or step.streams
    named = []
    for stream in streams:
        card = results.cards.get(stream, {})
        network, inputs = card.get("network", {}).get("name"), " and ".join(card.get("inputs", ()))
        if network in NETWORKS:
            about = CITED.match(NETWORKS[network].__doc__ or "")
            named.append(f"{stream} ({about[1] if about else network} on {inputs})")
        else:
            named.append(stream)
    text = f"{'One network was' if len(streams) == 1 else f'{len(streams)} networks were'} trained: {_listed(named)}."
    if len(streams) == 1:
        return text
    fusion = results.fusion
    rule, weights = FUSION_RULES.get(fusion.get("rule")), fusion.get("weights", {}).values()
    how = [f"{rule.name}: {rule.description}"] if rule else []
    how += [f"{stream} {weight:.2f}" for stream, weight in zip(streams, weights, strict=False)]
    calibrated = f"{CALIBRATED} and " if any(each != 1 for each in fusion["temperatures"].values()) else ""
    return f"{text} Their probabilities were {calibrated}fused ({', '.join(how)})."


def _result(step: ReportStep, measured: Measured) -> str:
    (line,) = measured.table.tail(1).to_dict("records")
    people = sum(measured.people.values())
    where = {TEST: "test clips", HELD_OUT: f"clips of {SPLITS['val']}"}[measured.kind]
    if measured.kind == HELD_OUT and step.folds:
        where = f"held-out clips of {step.folds}-fold cross-validation"
    interval = ""
    if not np.isnan(line["accuracy_low"]):
        kind = "Wilson interval, one person" if people == 1 else f"bootstrap over {_people(people)}"
        interval = f" (95% interval {line['accuracy_low']:.1%} to {line['accuracy_high']:.1%}; {kind})"
    chance, most_frequent = measured.baselines.accuracy
    text = (
        f"On {len(measured.labels_N):,} {where} of {_people(people)}, top-1 accuracy was {line['accuracy']:.1%}"
        f"{interval}, balanced accuracy {line['balanced_accuracy']:.1%} and macro F1 {line['macro_f1']:.3f}; guessing "
        f"a class gives {chance:.1%}, and always the most frequent class {most_frequent:.1%}."
    )
    if measured.kind == TEST:
        return f"{text} {shared_in_words(measured.shared, people) or 'None of these people was in another split.'}"
    if not step.folds:
        text += " Epochs, temperatures and weights were chosen on these clips."
    return text


def _software(results: Results) -> str:
    cards = results.cards.values()
    versions = {f"Python {card['python']}" for card in cards}
    versions |= {f"{name} {version}" for card in cards for name, version in card["libraries"].items()}
    revisions = {card["git_revision"] for card in cards if card["git_revision"]}
    return (
        f"Software: microgesture{f' (revision {_listed(sorted(revisions))})' if revisions else ''}; "
        f"{', '.join(sorted(versions))}. Papers are named by their arXiv numbers; cite the corpus as its owners ask."
    )


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _listed(words: list[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)
