"""The paths inside an archive: which of them may become files, on this disk and on any other."""

import re
import unicodedata

LONGEST_PART = 240  # bytes; most disks take 255, and a file that is being written has a longer name

# A backslash or a colon leaves the folder on Windows (C:, ..\), and control characters hide in messages and lists.
UNSAFE = re.compile(r"[\\:\x00-\x1f\x7f]")


def objection(path: str) -> str | None:
    """What speaks against a path in an archive, in words; None if it leads to a place inside any folder.

    ``path`` has its parts between slashes, with a slash at the end if it is a folder.
    """
    parts = path.removesuffix("/").split("/")
    if path.startswith("/"):
        return "is an absolute path"
    if ".." in parts:
        return "leaves the folder with '..'"
    if UNSAFE.search(path):
        return "has a backslash, a colon or a control character in its name"
    if "" in parts or "." in parts:
        return "has an empty part or a '.' in its path"
    if any(len(part.encode(errors="surrogatepass")) > LONGEST_PART for part in parts):
        return f"has a name of more than {LONGEST_PART} bytes"
    return None


class Paths:
    """Paths that are to lie in one folder, so that each stays a file of its own where case or accents do not count."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def add(self, path: str, kind: str = "file") -> str | None:
        """Add a path and the folders above it; return what speaks against that, in words, or None.

        ``kind`` is "file" or "folder". A path that is there already, as the same kind, may be added again.
        """
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            spelt = "/".join(parts[:depth])
            given = spelt, kind if depth == len(parts) else "folder"
            known = self._known.setdefault(_folded(spelt), given)
            if known[0] != spelt:
                return (
                    f"differs from '{known[0]}' in case or accents only, which is one and the same file on some disks"
                )
            if known != given:
                return f"makes '{spelt}' a {given[1]}, which is a {known[1]} already"
        return None


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
