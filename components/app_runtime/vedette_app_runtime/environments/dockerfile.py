"""What a Panorama application's Dockerfile installs with pip or apt, as far as it can be read without building it."""

import re
import shlex
from pathlib import Path
from typing import Final

from vedette.redaction import redact
from vedette_app_runtime.environments.errors import RequirementsInvalid
from vedette_app_runtime.environments.requirement import Requirement, RequirementSet, parse_line, read_requirements

_PIP: Final = re.compile(r"(?:\S*/)?pip(?:\d(?:\.\d+)?)?")
_PYTHON: Final = re.compile(r"(?:\S*/)?python(?:\d(?:\.\d+)?)?")
_WITH_VALUE: Final = frozenset(
    {"-t", "--target", "--prefix", "--root", "--timeout", "--retries", "--trusted-host", "--cert", "--platform"}
    | {"--python-version", "--implementation", "--abi", "--cache-dir", "--proxy", "--progress-bar", "--global-option"}
    | {"--no-binary", "--only-binary", "--upgrade-strategy", "--default-timeout", "--python", "--log", "--build-option"}
)
_INDEXES: Final = {"-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url"} | {
    "-f": "--find-links",
    "--find-links": "--find-links",
}
_TOOLS: Final = frozenset({"pip", "wheel", "setuptools"})
_APT: Final = {
    "python3-opencv": "opencv-python",
    "python3-numpy": "numpy",
    "python3-scipy": "scipy",
    "python3-pil": "pillow",
    "python3-yaml": "pyyaml",
    "python3-boto3": "boto3",
    "python3-requests": "requests",
    "python3-matplotlib": "matplotlib",
    "python3-pandas": "pandas",
    "python3-zmq": "pyzmq",
    "python3-flask": "flask",
    "python3-sklearn": "scikit-learn",
    "python3-skimage": "scikit-image",
}
"""Debian's packages of Python libraries, and what they are called on PyPI; anything else of apt is not Python."""

_OTHER_MANAGERS: Final = {
    **dict.fromkeys(("conda", "mamba", "micromamba"), "conda"),
    **{name: name for name in ("pipenv", "poetry")},
}
_CHANNELS: Final = frozenset({"-c", "--channel", "-n", "--name", "-p", "--prefix", "--file"})
"""Options of conda with a value."""
_WRITE: Final = "write what it brings into requirements.txt, by the names that PyPI has for it"
_SCRIPT: Final = re.compile(r"(?:--\S+\s+)*<<-?[\"']?(\w+)[\"']?")
"""What stands after RUN where a script follows."""

_BUILD_PACKAGES: Final = frozenset(
    {"build-essential", "gcc", "g++", "make", "cmake", "ninja-build", "pkg-config", "git", "wget", "curl", "unzip"}
    | {"apt-utils", "ca-certificates", "gnupg", "software-properties-common", "python3", "python3-pip", "python3-venv"}
)


def run_commands(text: str) -> list[tuple[int, list[str]]]:
    """Return (line number, words) of every shell command that the ``RUN`` lines of a Dockerfile give."""
    commands: list[tuple[int, list[str]]] = []
    pending, start, until = "", 0, ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if until:  # inside RUN <<EOF: lines of a script
            if line == until:
                until = ""
            else:
                commands += [(number, words) for words in _split(line)]
            continue
        if line.startswith("#"):
            continue  # a comment between continued lines does not end them
        start = start if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        whole, pending = pending + line, ""
        match = re.match(r"RUN\s+(.*)", whole, re.IGNORECASE | re.DOTALL)
        script = _SCRIPT.fullmatch(match[1]) if match else None
        if script:
            until = script[1]
        elif match:
            commands += [(start, words) for words in _split(match[1])]
    return commands


def read_dockerfile(path: Path, sources: Path, into: RequirementSet) -> None:
    """Add what ``path``, a Dockerfile, installs to ``into``; ``sources`` is what the image holds at ``/panorama``.

    :raises RequirementsInvalid: if the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequirementsInvalid(f"cannot read {path.name}: {error}; expected a Dockerfile") from error
    for number, words in run_commands(text):
        origin = f"{path.name} line {number}"
        arguments = _pip_arguments(words)
        if arguments is not None:
            _read_pip(arguments, origin, path.parent, sources, into)
        elif (manager := _OTHER_MANAGERS.get(Path(words[0]).name)) is not None and "install" in words:
            _say_left_out(manager, words[words.index("install") + 1 :], origin, into)
        elif _PYTHON.fullmatch(words[0]) and "setup.py" in words:
            into.ignored.append(f"{origin}: setup.py is not run by Vedette; {_WRITE}")
        elif any(word in {"apt-get", "apt"} for word in words) and "install" in words:
            _read_apt(words[words.index("install") + 1 :], origin, into)


def _say_left_out(manager: str, words: list[str], origin: str, into: RequirementSet) -> None:
    values = {index + 1 for index, word in enumerate(words) if word in _CHANNELS}
    names = [word for index, word in enumerate(words) if not word.startswith("-") and index not in values]
    what = f"what {manager} installs ({', '.join(names)})" if names else f"what {manager} installs"
    into.ignored.append(f"{origin}: {redact(what)} is left out; {_WRITE}")


def _split(text: str) -> list[list[str]]:
    if text.startswith("["):  # the exec form: RUN ["pip3", "install", "boto3"]
        words = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
        return [words] if words else []
    text = re.sub(r"^(--\S+\s+)+", "", text)  # RUN --mount=type=cache,...
    lexer = shlex.shlex(text, posix=True, punctuation_chars="&|;()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word and set(word) <= set("&|;()"):
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError:
        return []  # an unclosed quote: Docker would refuse it as well
    return [words for words in commands if words]


def _pip_arguments(words: list[str]) -> list[str] | None:
    """Return what follows ``pip install``, in any of its spellings, or None."""
    rest = list(words)
    while rest and (rest[0] in {"sudo", "-H", "-E", "env", "exec"} or re.fullmatch(r"\w+=\S*", rest[0])):
        rest.pop(0)
    if rest[:2] == ["uv", "pip"]:
        rest.pop(0)
    if len(rest) >= 3 and _PYTHON.fullmatch(rest[0]) and rest[1:3] == ["-m", "pip"]:
        rest = rest[2:]
    elif not rest or not _PIP.fullmatch(rest[0]):
        return None
    rest.pop(0)
    while rest and rest[0].startswith("-"):
        rest.pop(0)
    return rest[1:] if rest and rest[0] == "install" else None


def _read_pip(arguments: list[str], origin: str, folder: Path, sources: Path, into: RequirementSet) -> None:
    words = iter(arguments)
    for word in words:
        option, equals, given = word.partition("=") if word.startswith("--") else (word, "", "")
        if option in {"-r", "--requirement", "-c", "--constraint"}:
            _read_file(
                given or next(words, ""), origin, folder, sources, into, constrain=option[:2] == "-c" or "con" in option
            )
        elif option in _INDEXES:
            into.options.append(f"{_INDEXES[option]} {given or next(words, '')}")
        elif option in _WITH_VALUE:
            if not equals:
                next(words, None)
        elif not word.startswith("-"):
            _read_word(word, origin, folder, sources, into)


def _read_file(name: str, origin: str, folder: Path, sources: Path, into: RequirementSet, *, constrain: bool) -> None:
    found = _find(name, folder, sources)
    if found is None:
        into.ignored.append(f"{origin}: {name or 'a file without a name'} is not among the application's files")
    elif constrain:
        into.options.append(f"-c {found}")
    else:
        read_requirements(found, into)


def _read_word(word: str, origin: str, folder: Path, sources: Path, into: RequirementSet) -> None:
    if "$" in word or "`" in word:
        into.ignored.append(f"{origin}: {redact(word)} depends on a variable of the image's build")
    elif word.startswith((".", "/")) or (word.endswith((".whl", ".tar.gz", ".zip")) and "://" not in word):
        found = _find(word, folder, sources)
        if found is None:
            into.ignored.append(f"{origin}: {word} is not among the application's files")
        else:
            name = found.name.split("-")[0].lower().replace("_", "-")
            into.add(Requirement(name, url=found.as_uri(), origin=origin))
    elif re.match(r"(git|hg|svn|bzr)\+|https?://", word):
        into.ignored.append(
            f"{origin}: {redact(word)} is an address; write it into requirements.txt to have it installed"
        )
    else:
        try:
            requirement = parse_line(word, origin)
        except RequirementsInvalid:
            into.ignored.append(f"{origin}: {redact(word)} is not understood")
            return
        if requirement.name not in _TOOLS:
            into.add(requirement)


def _read_apt(words: list[str], origin: str, into: RequirementSet) -> None:
    left: list[str] = []
    for word in words:
        name = word.split("=")[0]
        if name in _APT:
            if _APT[name] not in into.names():
                into.add(parse_line(_APT[name], f"{origin} ({name})"))
        elif not name.startswith("-") and not _serves_the_build(name):
            left.append(name)
    if len(left) == 1:
        into.ignored.append(f"{origin}: apt package {left[0]} is not installed by Vedette")
    elif left:
        into.ignored.append(f"{origin}: apt packages {', '.join(left)} are not installed by Vedette")


def _serves_the_build(package: str) -> bool:
    """Tell an apt package that serves the image's build alone: nothing of it is missed when the application runs."""
    return package in _BUILD_PACKAGES or package.endswith("-dev")


def _find(name: str, folder: Path, sources: Path) -> Path | None:
    """Find a file that the Dockerfile names by its place in the image: below /panorama, or copied to anywhere."""
    inside = name.removeprefix("/panorama/")
    for candidate in (sources / inside, folder / name.lstrip("/"), folder / Path(name).name, sources / Path(name).name):
        if candidate.is_file():
            return candidate.resolve()
    return None
