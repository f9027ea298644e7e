"""``python -m cxjobs`` is the command ``cxjobs``."""

from cxjobs.cli import main

main()
