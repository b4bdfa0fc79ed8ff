"""Let ``python -m neurometa.cli`` be the command."""

from neurometa.cli import main

main()
