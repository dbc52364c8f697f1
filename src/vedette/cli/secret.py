"""``vedette secret``: the secrets that a running nucleus gives to components. No value ever stands in an argument."""

import getpass
import sys
from pathlib import Path

from vedette.cli.failure import Failure
from vedette.cli.instance import answering, ask, chosen, print_json
from vedette.cli.tables import table
from vedette.cli.terminal import Terminal


def set_value(name: str, terminal: Terminal, *, root: Path | None, as_json: bool) -> int:
    """Keep a secret: its value is asked for, or read from standard input."""
    with answering("secret", as_json=as_json):
        instance = chosen(root)
        if sys.stdin.isatty():
            value = getpass.getpass(f"value of {name} (is not shown): ")
        else:
            value = sys.stdin.read().removesuffix("\n")
        if not value:
            raise Failure("the value is empty", hint=f"printf %s VALUE | vedette secret set {name}")
        ask(instance, "secret-set", name=name, value=value)
    if as_json:
        print_json("secret", name=name)
    else:
        terminal.done("secret", f"{name} is kept in {instance.root}")
    return 0


def list_names(*, root: Path | None, as_json: bool) -> int:
    """Print names and ARNs of the secrets."""
    with answering("secrets", as_json=as_json):
        found = ask(chosen(root), "secret-list")
    if as_json:
        print_json("secrets", secrets=found)
    elif found:
        sys.stdout.write("\n".join(table(("SECRET", "ARN"), [(s["name"], s["arn"]) for s in found])) + "\n")
    else:
        sys.stdout.write("no secrets; vedette secret set NAME\n")
    return 0
