"""The listings of corpora in ``results/listed``, brought up to date before a run is planned."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ..config.whole import Config
from ..corpora import declare, folder_of
from ..corpora.listed import listing_changes, listing_digest, refresh_listing
from ..storage.clips import PARTS


def refresh_listings(config: Config, results: Path | str = "results") -> Iterator[str]:
    """Write what has changed in the listing of each corpus, and yield a sentence about each that has changed.

    The lists of a corpus are read and its files are looked up, but not opened. A synthetic corpus is listed by the run.
    Raises ``InputError`` as ``corpora.declare`` does.
    """
    for corpus in config.corpora:
        if changed := _compare(config, corpus, Path(results), refresh_listing):
            yield changed


def listing_changed(config: Config, corpus: str, results: Path | str = "results") -> str | None:
    """The sentence of ``refresh_listings`` about a corpus, without writing anything; None if nothing has changed."""
    return _compare(config, corpus, Path(results), listing_changes)


def listing_digests(config: Config, corpus: str, results: Path | str = "results") -> dict[str, str]:
    """Digests of the listing of a corpus, by the stage that reads it: of its parts, and of all; "" if synthetic."""
    folder = Path(results, "listed", corpus)
    if config.corpora[corpus].demo is not None:
        return dict.fromkeys([*(f"{part}_clips" for part in PARTS), "clips"], "")
    parts = {f"{part}_clips": listing_digest(folder, part, config.shards) for part in PARTS}
    return parts | {"clips": listing_digest(folder, None, config.shards)}


def _compare(config: Config, name: str, results: Path, compare: Callable[..., list[str]]) -> str | None:
    corpus = config.corpora[name]
    if corpus.demo is not None:
        return None
    listing = declare(name, corpus.format, corpus.root, **corpus.reader_options())
    folders = results / "listed" / name, results / "measured" / name
    changes = compare(*folders, listing, folder_of(corpus.root), config.shards, corpus.watch_files)
    return f"corpus {name}: since the last run, {', '.join(changes)}" if changes else None
