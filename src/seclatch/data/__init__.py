"""Data that ships with the package: system call tables, schemas, known profiles."""

from pathlib import Path

DATA = Path(__file__).parent
"""The folder. Not by importlib.resources, which takes longer to import than most commands need."""
