"""The configuration: every settings class and what each stage receives of it. Imports nothing but pydantic."""
