"""The errors that mean that a file is damaged or not an archive."""

import lzma
import struct
import zipfile
import zlib

# Raised by NumPy, zipfile and its decoders for a file that is damaged or not an archive of arrays.
NO_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, SyntaxError),
    *(LookupError, ValueError, TypeError, EOFError, OSError, RuntimeError, OverflowError),
)
