"""Videos: read without hiding damage, in a process of their own, and written picture by picture."""

# The names by which files are taken for videos; what is in them is looked at when they are read.
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".mpeg", ".wmv", ".asf", ".flv", ".ogv")
