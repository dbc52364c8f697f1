"""``python -m vedette.build NAME ...``: builds components of Vedette, also as GDK's custom build command.

``VEDETTE_WHEELS`` says for which Pythons vedette.Runtime gets wheels (default: all; ``3.11,3.12``; ``none``).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vedette.build.archive import BuildError
from vedette.build.components import OWN_COMPONENTS, build_component, build_for_gdk, wheels_wanted


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m vedette.build", description="Build components of Vedette.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="components; all of them if none is named")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, help="folder that gets recipes/ and artifacts/")
    where.add_argument("--gdk", type=Path, help="greengrass-build folder, for one component")
    options = parser.parse_args(arguments)
    names = options.names or [component.name for component in OWN_COMPONENTS]
    if options.gdk is not None and len(names) != 1:
        parser.error("--gdk takes exactly one component: GDK builds one at a time")
    try:
        for name in names:
            if options.gdk:
                built = build_for_gdk(name, options.gdk)
            else:
                built = build_component(name, options.out, wheels=wheels_wanted())
            sys.stdout.write(" ".join(map(str, [built.name, built.version, built.recipe, *built.artifacts])) + "\n")
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
