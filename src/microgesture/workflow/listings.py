"""The listings of corpora in ``results/listed``, brought up to date before a run is planned."""

from collections.abc import Callable, Iterator
from pathlib import Path

from ..config.whole import Config
from ..corpora import declare
from ..corpora.listed import listing_changes, listing_digest, refresh_listing
from ..corpora.listing import Listing, declared_clips
from ..measures.warnings import corpus_warnings
from ..storage.clips import PARTS, folder_of
from .across_corpora import check_across_corpora
from .given_files import check_given_files

LOCKS = Path(".snakemake/locks")  # Snakemake has files there while it runs


def refresh_listings(config: Config, results: Path | str = "results") -> Iterator[str]:
    """Write what has changed in the listing of each corpus; yield sentences about that, and about what is doubtful.

    While another run is in progress in this folder, its listings stay as they are. The lists of a corpus are read and
    its files are looked up, but not opened. A synthetic corpus is listed by the run. Raises ``InputError`` as
    ``corpora.declare`` does, and if a file about test clips could not be used.
    """
    listings = {}
    for name in config.corpora:
        if listing := _declared(config, name):
            listings[name] = listing
            if any(LOCKS.glob("*")) and (Path(results) / "listed" / name).is_dir():
                for sentence in _changed(config, name, listing, Path(results), listing_changes):
                    yield f"Warning: {sentence}; not used yet, because another run is in progress in this folder"
            else:
                yield from _changed(config, name, listing, Path(results), refresh_listing)
            clips = declared_clips(listing)
            yield from (f"Warning: corpus {name}: {warning}" for warning in corpus_warnings(clips))
            yield from (f"Warning: {warning}" for warning in check_given_files(config, name, clips))
    yield from (f"Warning: {warning}" for warning in check_across_corpora(config, listings))


def shared_across_corpora(config: Config) -> Iterator[str]:
    """The warnings of ``check_across_corpora`` about a configuration; raises ``InputError`` as it does."""
    listings = {name: listing for name in config.corpora if (listing := _declared(config, name))}
    return check_across_corpora(config, listings)


def listing_changed(config: Config, corpus: str, results: Path | str = "results") -> str | None:
    """The sentence of ``refresh_listings`` about a corpus, without writing anything; None if nothing has changed."""
    listing = _declared(config, corpus)
    return next(_changed(config, corpus, listing, Path(results), listing_changes), None) if listing else None


def listing_digests(config: Config, corpus: str, results: Path | str = "results") -> dict[str, str]:
    """Digests of the listing of a corpus, by the stage that reads it: of its parts, and of all; "" if synthetic."""
    folder = Path(results, "listed", corpus)
    if config.corpora[corpus].demo is not None:
        return dict.fromkeys([*(f"{part}_clips" for part in PARTS), "clips"], "")
    parts = {f"{part}_clips": listing_digest(folder, part, config.shards) for part in PARTS}
    return parts | {"clips": listing_digest(folder, None, config.shards)}


def _declared(config: Config, name: str) -> Listing | None:
    corpus = config.corpora[name]
    return None if corpus.demo else declare(name, corpus.format, corpus.root, **corpus.reader_options())


def _changed(
    config: Config, name: str, listing: Listing, results: Path, compare: Callable[..., list[str]]
) -> Iterator[str]:
    corpus = config.corpora[name]
    folders = results / "listed" / name, results / "measured" / name
    if changes := compare(*folders, listing, folder_of(corpus.root), config.shards, corpus.watch_files):
        yield f"corpus {name}: since the last run, {', '.join(changes)}"
