"""``python -m vedette.build NAME ...``: builds components of Vedette, also as GDK's custom build command."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from vedette.build.archive import BuildError
from vedette.build.components import OWN_COMPONENTS, build_component, build_for_gdk


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
            built = build_for_gdk(name, options.gdk) if options.gdk else build_component(name, options.out)
            sys.stdout.write(f"{built.name} {built.version} {built.recipe} {built.artifact}\n")
    except BuildError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
