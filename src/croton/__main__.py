"""``python -m croton``: the ``croton`` command."""

from croton.cli import main

main(prog_name="croton")
