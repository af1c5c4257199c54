"""`python -m scorebench` is `scorebench`."""

from scorebench.cli import main

main()
