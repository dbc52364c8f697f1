"""Where the ``vedette`` command begins: imports nothing that takes time, so that Ctrl-C is quiet from the start."""

import os
import sys


def main() -> None:
    """Run the command line; ends the process with its exit code."""
    # pydantic looks through the metadata of every installed package for plugins: a tenth of validate's time.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from vedette.cli import main as command_line

        command_line.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
