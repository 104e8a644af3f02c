"""The listings of corpora in ``results/listed``, brought up to date before a run is planned."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ..config.whole import Config
from ..corpora import declare
from ..corpora.listed import listing_changes, listing_digest, refresh_listing
from ..corpora.listing import Listing, declared_clips
from ..corpora.versions import size_and_time
from ..errors import UnusableClip
from ..measures.warnings import corpus_warnings
from ..storage.clips import PARTS, folder_of
from ..storage.names import Folders
from ..storage.parquet import read_parquet
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
        if listing := declared(config, name):
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


def listing_changed(config: Config, corpus: str, listing: Listing, results: Path | str = "results") -> str | None:
    """The sentence of ``refresh_listings`` about a corpus, without writing anything; None if nothing has changed."""
    return next(_changed(config, corpus, listing, Path(results), listing_changes), None)


def listing_digests(config: Config, corpus: str, results: Path | str = "results") -> dict[str, str]:
    """Digests of the listing of a corpus, by the stage that reads it: of its parts, and of all; "" if synthetic."""
    folder = Path(results, "listed", corpus)
    if config.corpora[corpus].demo is not None:
        return dict.fromkeys([*(f"{part}_clips" for part in PARTS), "clips"], "")
    parts = {f"{part}_clips": listing_digest(folder, part, config.shards) for part in PARTS}
    return parts | {"clips": listing_digest(folder, None, config.shards)}


def clip_videos_version(config: Config, corpus: str, shard: str, folder: str, results: Path | str = "results") -> str:
    """A digest of the sizes and times of the user's own videos of the clips in a shard, ``<clip_id>.mp4`` in a folder.

    It is "" if the files of the corpus are not watched. The clips of a synthetic corpus are listed only by the run, so
    all videos in the folder count.
    """
    settings, listed = config.corpora[corpus], Path(results, "listed", corpus, f"{shard}.parquet")
    if not settings.watch_files:
        return ""
    if settings.demo is None and listed.exists():
        names = [f"{clip_id}.mp4" for clip_id in read_parquet(listed)["clip_id"].to_pylist()]
    else:
        names = sorted(path.name for path in Path(folder).glob("*.mp4"))
    found, seen = Folders(Path(folder)), hashlib.sha256()
    for name in names:
        try:
            path = found.find(name)
        except UnusableClip:  # two files of this name, which the stage reports
            path = None
        seen.update(f"{name} {size_and_time(Path(folder, path)) if path else ''}\n".encode())
    return seen.hexdigest()[:12]


def declared(config: Config, name: str) -> Listing | None:
    """Read the lists of a corpus as ``corpora.declare`` does; None for a synthetic corpus, which the run makes."""
    corpus = config.corpora[name]
    return None if corpus.demo else declare(name, corpus.format, corpus.root, **corpus.reader_options())


def _changed(
    config: Config, name: str, listing: Listing, results: Path, compare: Callable[..., list[str]]
) -> Iterator[str]:
    corpus = config.corpora[name]
    folders = results / "listed" / name, results / "measured" / name
    if changes := compare(*folders, listing, folder_of(corpus.root), config.shards, corpus.watch_files):
        yield f"corpus {name}: since the last run, {', '.join(changes)}"
