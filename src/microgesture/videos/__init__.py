"""Videos: reading, which reports every damage and can run in a separate process, and writing picture by picture."""

# The suffixes of the files that count as videos; the contents are checked when a file is read.
VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".asf"),
    *(".flv", ".ogv"),
)
