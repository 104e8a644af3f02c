"""Starting a study of your own clips: from a folder in any layout to ``clips.csv`` and ``config.yaml``."""
