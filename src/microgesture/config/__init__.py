"""The configuration: all settings classes, and the settings that each stage receives. Imports only pydantic."""
