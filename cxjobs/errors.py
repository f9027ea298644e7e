"""What can go wrong, as exceptions. Every message says what, where, and what to try.

The library raises these; the command line turns them into one line on stderr.
"""

from __future__ import annotations


class CxjobsError(Exception):
    """Base of all errors that cxjobs raises on purpose."""


class DataError(CxjobsError):
    """Labelled data or a frame breaks a rule of its table."""


class FormatError(CxjobsError):
    """An input or output file cannot be read or written as what it claims to be."""


class ModelError(CxjobsError):
    """A model folder is missing, altered, or of a format that this version cannot read."""
