"""Postings of any source, read and written in batches, nothing dropped."""

from __future__ import annotations

from cxjobs.postings.batch import Batch, Reject
from cxjobs.postings.pipeline import classify
from cxjobs.postings.reading import File, Reading, read
from cxjobs.postings.summary import Summary

__all__ = ["Batch", "File", "Reading", "Reject", "Summary", "classify", "read"]
