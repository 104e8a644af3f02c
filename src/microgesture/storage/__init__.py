"""Files that are whole or not there: tables, shards, checksums, and the room that they take."""
