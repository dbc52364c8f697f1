"""One document: its text with places, its model, and what is wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

from vedette.documents.checking import MAX_FINDINGS, check
from vedette.documents.files import read_text
from vedette.documents.findings import Finding, errors, general
from vedette.documents.json_text import JsonText, JsonTextError, Pointer, Span, line_and_column, read_json
from vedette.documents.labels import label
from vedette.documents.models import (
    DescriptorDocument,
    DocumentModel,
    GraphDocument,
    OverrideDocument,
    PackageDocument,
    PackageOverridesDocument,
)
from vedette.documents.suggestions import did_you_mean

ModelT_co = TypeVar("ModelT_co", bound=DocumentModel, covariant=True)

KINDS: Final[dict[str, type[DocumentModel]]] = {
    "nodeGraph": GraphDocument,
    "nodeGraphOverrides": OverrideDocument,
    "nodePackage": PackageDocument,
    "nodePackageOverrides": PackageOverridesDocument,
    "mlModelDescriptor": DescriptorDocument,
    "runtimeDescriptor": DescriptorDocument,
}
"""Root key of a document -> its model."""


@dataclass(frozen=True)
class Document(Generic[ModelT_co]):
    """A document that was read. ``model`` is None where ``findings`` has an error, and for a template."""

    path: Path
    file: str
    """Path as findings show it: relative to the project."""
    kind: str
    """Root key, ``""`` where there is none that is known."""
    model: ModelT_co | None
    findings: tuple[Finding, ...]
    text: JsonText | None = None

    def finding(
        self, code: str, pointer: Pointer, message: str, hint: str = "", *, key: bool = False, where: bool = True
    ) -> Finding:
        """Return a finding about the value at ``pointer`` (or its key); ``where`` puts the place's name before it."""
        if self.text is None:
            return general(code, message, hint, file=self.file)
        name = label(self.text.value, pointer) if where else ""
        return _at(
            self.file,
            self.text.text,
            self.text.span(pointer, key=key),
            code,
            f"{name}: {message}" if name else message,
            hint,
        )

    def place(self, pointer: Pointer) -> str:
        """Return ``file:line:column`` of the value at ``pointer``, or of what it is missing from."""
        if self.text is None:
            return self.file
        line, column = line_and_column(self.text.text, self.text.span(pointer).start)
        return f"{self.file}:{line}:{column}"

    def require(self) -> ModelT_co:
        """Return the model; only for a document that was found good."""
        if self.model is None:
            raise ValueError(f"{self.file} has errors")
        return self.model


def read_document(
    path: Path, root: Path, *, expected: Iterable[str] = tuple(KINDS), text: str | None = None
) -> Document[DocumentModel]:
    """Read the file at ``path``, which must lie inside ``root``; ``text`` in place of what it holds.

    ``expected`` are the root keys that the file may have. Whatever is wrong is in the findings; nothing is raised.
    """
    file = shown_path(path, root)
    found: list[Finding] = []
    if text is None:
        text = read_text(path, root, file, found)
    if text is None:
        return Document(path, file, "", None, tuple(found))
    return parse_document(text, path, file, expected=expected, found=found)


def parse_document(
    text: str, path: Path, file: str, *, expected: Iterable[str] = tuple(KINDS), found: Iterable[Finding] = ()
) -> Document[DocumentModel]:
    """Parse and check a text that ``file`` holds; ``found`` are findings of reading it."""
    findings = list(found)
    try:
        tree = read_json(text)
    except JsonTextError as error:
        code = "V005" if error.too_deep else "V004"
        findings.append(_at(file, text, error.span, code, str(error), ""))
        return Document(path, file, "", None, tuple(findings))
    for pointer, span in tree.duplicates[:MAX_FINDINGS]:
        name = label(tree.value, pointer[:-1])
        message = f'key "{str(pointer[-1])[:60]}" is given twice: the last one counts'
        findings.append(_at(file, text, span, "V006", f"{name}: {message}" if name else message, "remove one of them"))
    kind, finding = _kind(tree, file, tuple(expected))
    if finding is not None:
        return Document(path, file, kind, None, (*findings, finding), tree)
    model, more = check(tree, KINDS[kind], lambda *args: _at(file, text, *args))
    findings += more
    return Document(path, file, kind, None if errors(findings) else model, tuple(sorted(findings)), tree)


def parsed_as(document: Document[DocumentModel], model: type[ModelT_co]) -> Document[ModelT_co]:
    """Return ``document`` typed as one of ``model``, which its kind guarantees."""
    if document.model is not None and not isinstance(document.model, model):
        raise TypeError(f"{document.file} is a {document.kind} document")
    return cast("Document[ModelT_co]", document)


def shown_path(path: Path, root: Path) -> str:
    """Return ``path`` as findings show it: relative to ``root`` where it lies inside."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def _kind(tree: JsonText, file: str, expected: tuple[str, ...]) -> tuple[str, Finding | None]:
    keys = list(tree.value) if isinstance(tree.value, dict) else []
    kind = next((key for key in keys if key in expected), None)
    if kind is not None:
        return kind, None
    known = next((key for key in keys if key in KINDS), "")
    wanted = " or ".join(f'"{key}"' for key in expected)
    hint, pointer = "", cast("Pointer", ())
    if not isinstance(tree.value, dict):
        problem = f"document is no object: expected one with the key {wanted}"
    elif known:
        problem, pointer = f"document is a {known} document: expected the key {wanted}", (known,)
    else:
        problem = f"document has no key {wanted}" + (f', found "{keys[0][:60]}"' if keys else "")
        for key in keys:
            if hint := did_you_mean(key, expected):
                pointer = (key,)
                break
    return known, _at(file, tree.text, tree.span(pointer, key=True), "V009", problem, hint)


def _at(file: str, text: str, span: Span, code: str, message: str, hint: str) -> Finding:
    line, column = line_and_column(text, span.start)
    end = text.find("\n", span.start, span.end)
    length = (end if end >= 0 else span.end) - span.start
    return Finding(file, line, column, code, message, hint, length)
