"""Archives of releases, unpacked without believing what they say of themselves."""
