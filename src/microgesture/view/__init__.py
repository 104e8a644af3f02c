"""Contact sheets: what the networks see of a clip, as pictures and videos for people to look at."""
