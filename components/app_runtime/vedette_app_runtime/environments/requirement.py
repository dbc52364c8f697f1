"""Requirements files, read as far as is needed to date, constrain and relax what they ask for."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from vedette.redaction import redact
from vedette_app_runtime.environments.errors import RequirementsInvalid

_UPPER: Final = frozenset({"==", "===", "<=", "<", "~="})
_COMMENT: Final = re.compile(r"(^|\s)#.*$")
_INDEX_OPTIONS: Final = ("--index-url", "--extra-index-url", "--find-links", "-i", "-f")
_MAX_DEPTH: Final = 10


@dataclass(frozen=True)
class Requirement:
    """One requirement: a name with its versions, or a direct address of an archive."""

    name: str
    """Canonical (lower case, dashes)."""
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: tuple[str, ...] = ()
    marker: str = ""
    url: str = ""
    origin: str = ""
    """Where it was read: ``requirements.txt line 2``."""

    @property
    def bounded(self) -> bool:
        """Whether it names a release or an upper limit: it speaks of the time when it was written."""
        return any(part.operator in _UPPER for part in self.specifier)

    def line(self) -> str:
        """Return it as a line of a requirements file."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        versions = f" @ {self.url}" if self.url else str(self.specifier)
        return f"{self.name}{extras}{versions}" + (f" ; {self.marker}" if self.marker else "")

    def with_specifier(self, specifier: str) -> "Requirement":
        """Return it with other versions."""
        return replace(self, specifier=SpecifierSet(specifier))

    def named(self, name: str) -> "Requirement":
        """Return it for another distribution."""
        return replace(self, name=name)


@dataclass
class RequirementSet:
    """Everything that an application asks to be installed."""

    requirements: list[Requirement] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    """Lines for the resolver: where else to look. May hold credentials: never shown."""
    ignored: list[str] = field(default_factory=list)
    """What was left out and why, a sentence each, fit to be shown."""

    @property
    def bounded(self) -> bool:
        """Whether any requirement names a release or an upper limit."""
        return any(requirement.bounded for requirement in self.requirements)

    def add(self, requirement: Requirement) -> None:
        """Add one, unless the same line is there already."""
        if all(known.line() != requirement.line() for known in self.requirements):
            self.requirements.append(requirement)

    def names(self) -> set[str]:
        """Return the canonical names."""
        return {requirement.name for requirement in self.requirements}


def parse_line(text: str, origin: str) -> Requirement:
    """Read one requirement as PEP 508 writes it.

    :raises RequirementsInvalid: if it is not one; names the origin.
    """
    try:
        parsed = Parsed(text)
        for part in parsed.specifier:
            Version(part.version.removesuffix(".*"))  # "===" lets anything pass
    except (InvalidRequirement, InvalidVersion) as error:
        raise RequirementsInvalid(
            f"{origin}: {redact(text)!r} is not a requirement; expected a name with versions, such as boto3==1.24.*"
        ) from error
    return Requirement(
        name=canonicalize_name(parsed.name),
        specifier=parsed.specifier,
        extras=tuple(sorted(parsed.extras)),
        marker=str(parsed.marker) if parsed.marker else "",
        url=parsed.url or "",
        origin=origin,
    )


def read_requirements(path: Path, into: RequirementSet, *, depth: int = 0) -> None:
    """Read a requirements file and those that it names into ``into``.

    :raises RequirementsInvalid: if a file cannot be read, a line is no requirement, or files name each other.
    """
    if depth > _MAX_DEPTH:
        raise RequirementsInvalid(f"{path.name}: requirements files name each other in a circle; take one -r line out")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequirementsInvalid(f"cannot read {path.name}: {error}; expected a text file of requirements") from error
    for number, line in _lines(text.splitlines()):
        _read_line(line, f"{path.name} line {number}", path.parent, into, depth)


def _lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield (number, line) without comments and blanks, continuation lines joined."""
    pending, start = "", 0
    for number, raw in enumerate(lines, start=1):
        if not pending:
            start = number
        line = _COMMENT.sub("", raw).rstrip()
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        joined, pending = (pending + line).strip(), ""
        if joined:
            yield start, joined
    if pending.strip():
        yield start, pending.strip()


def _read_line(line: str, origin: str, folder: Path, into: RequirementSet, depth: int) -> None:
    # Hashes would have to be those of the substituted and relaxed releases: they are for an installation as written.
    line = re.sub(r"\s--hash[= ]\S+", "", line)
    option, _, value = line.replace("=", " ", 1).partition(" ") if line.startswith("-") else ("", "", "")
    value = value.strip()
    if option in {"-r", "--requirement"} or line.startswith("-r"):
        read_requirements(folder / (value or line[2:].strip()), into, depth=depth + 1)
    elif option in {"-c", "--constraint"}:
        into.options.append(f"-c {(folder / value).resolve()}")
    elif option in _INDEX_OPTIONS:
        into.options.append(f"{ {'-i': '--index-url', '-f': '--find-links'}.get(option, option) } {value}")
    elif option == "--no-index":
        into.options.append(option)
    elif option:
        into.ignored.append(f"{origin}: option {option} has no meaning here")
    elif re.match(r"(\.|/|file:)", line) or (line.endswith((".whl", ".tar.gz", ".zip")) and " @ " not in line):
        _read_archive(line, origin, folder, into)
    elif re.match(r"(git|hg|svn|bzr)\+", line):
        _read_repository(line, origin, into)
    else:
        into.add(parse_line(line, origin))


def _read_archive(line: str, origin: str, folder: Path, into: RequirementSet) -> None:
    if re.match(r"https?://", line):
        name = line.rsplit("/", 1)[-1].split("-", maxsplit=1)[0]
        into.add(Requirement(canonicalize_name(name), url=line, origin=origin))
        return
    archive = (folder / line.removeprefix("file://")).resolve()
    if archive.is_file():
        into.add(Requirement(canonicalize_name(archive.name.split("-")[0]), url=archive.as_uri(), origin=origin))
    else:
        into.ignored.append(f"{origin}: {line} is not among the application's files")


def _read_repository(line: str, origin: str, into: RequirementSet) -> None:
    egg = re.search(r"#egg=([A-Za-z0-9._-]+)", line)
    name = (
        egg[1]
        if egg
        else line.split("#", maxsplit=1)[0].rstrip("/").rsplit("/", 1)[-1].split("@")[0].removesuffix(".git")
    )
    into.add(Requirement(canonicalize_name(name), url=line.split("#", maxsplit=1)[0], origin=origin))
