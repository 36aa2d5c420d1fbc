"""``python -m croton.cli`` is the ``croton`` command."""

from croton.cli import main

main(prog_name="croton")
