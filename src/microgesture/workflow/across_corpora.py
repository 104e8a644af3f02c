"""People of a corpus on whom a network was trained before, in another corpus with the same recordings."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache

from ..config.whole import Config
from ..corpora.listing import Listing, Row, declared_clips
from ..corpora.recordings import Key, file_keys
from ..errors import InputError
from ..measures.people import TRAINED, person_of
from ..storage.clips import folder_of


def check_across_corpora(config: Config, listings: Mapping[str, Listing]) -> Iterator[str]:
    """Yield a warning for each pair of a stream and an earlier one that has learnt from people who are measured.

    ``listings`` are those of corpora, by name. Subjects are not compared, because two corpora may call different people
    S01; recordings are. Raises ``InputError`` if an earlier stream has learnt from people in test, unless
    ``allow_shared_subjects`` of the corpus is set.
    """

    @cache
    def keys_by_row(corpus: str) -> list[tuple[Row, frozenset[Key]]]:
        keys = file_keys(folder_of(config.corpora[corpus].root))
        return [(row, frozenset(key for path in row.files for key in keys(path))) for row in listings[corpus].rows]

    def learnt(corpus: str, earlier: str, splits: Collection[str]) -> set[str]:
        measured = frozenset().union(*(keys for row, keys in keys_by_row(corpus) if row.split in splits))
        person = person_of(declared_clips(listings[earlier]).table)
        taught = {one for one, row in zip(person, listings[earlier].rows, strict=True) if row.split in TRAINED}
        shared = zip(person, keys_by_row(earlier), strict=True)
        return taught & {one for one, (_, keys) in shared if keys & measured}

    for name, stream in config.streams.items():
        for parent in _ancestors(config, name):
            corpus, earlier = stream.corpus, config.streams[parent].corpus
            if corpus == earlier or not {corpus, earlier} <= set(listings):
                continue
            for splits in (("test",), TRAINED if config.folds else ("val",)):
                if not (people := learnt(corpus, earlier, splits)):
                    continue
                where, count = " and ".join(splits), "1 person" if len(people) == 1 else f"{len(people)} people"
                told = (
                    f"stream {name} starts from {parent}, which is trained on {count} of corpus {earlier} "
                    f"in {where} of {corpus}, first {min(people)}"
                )
                if "test" in splits and not config.corpora[corpus].allow_shared_subjects:
                    raise InputError(
                        f"{told}. Move their recordings to test in {earlier} too, or set "
                        f"corpora.{corpus}.allow_shared_subjects: true"
                    )
                yield f"{told}, so results there do not apply to new people"


def _ancestors(config: Config, stream: str) -> list[str]:
    found: list[str] = []
    waiting = [stream]
    while waiting:
        own = config.streams[waiting.pop()]
        new = [name for name in (*own.parents, *(own.fuses or ())) if name not in found]
        found += new
        waiting += new
    return found
