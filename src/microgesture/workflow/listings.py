"""The listings of corpora in ``results/listed``, brought up to date before a run is planned."""

from collections.abc import Iterator
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
    yield from _each(config, Path(results), refresh_listing)


def changed_listings(config: Config, results: Path | str = "results") -> Iterator[str]:
    """Yield the sentences of ``refresh_listings`` without writing anything."""
    yield from _each(config, Path(results), listing_changes)


def listing_digests(config: Config, corpus: str, results: Path | str = "results") -> dict[str, str]:
    """Digests of the listing of a corpus, by the stage that reads it: of its parts, and of all; "" if synthetic."""
    folder = Path(results, "listed", corpus)
    if config.corpora[corpus].demo is not None:
        return dict.fromkeys([*(f"{part}_clips" for part in PARTS), "clips"], "")
    parts = {f"{part}_clips": listing_digest(folder, part, config.shards) for part in PARTS}
    return parts | {"clips": listing_digest(folder, None, config.shards)}


def _each(config: Config, results: Path, compare) -> Iterator[str]:
    for name, corpus in config.corpora.items():
        if corpus.demo is None:
            listing = declare(name, corpus.format, corpus.root, **corpus.reader_options())
            folders = results / "listed" / name, results / "measured" / name
            changes = compare(*folders, listing, folder_of(corpus.root), config.shards, corpus.watch_files)
            if changes:
                yield f"corpus {name}: since the last run, {', '.join(changes)}"
