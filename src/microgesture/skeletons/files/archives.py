"""What is raised on a file that is damaged, or no archive at all."""

import lzma
import struct
import zipfile
import zlib

# What NumPy, zipfile and its decoders raise on a file that is damaged or no archive of arrays.
NO_ARCHIVE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, SyntaxError),
    *(LookupError, ValueError, TypeError, EOFError, OSError, RuntimeError, OverflowError),
)
