"""The code node: its command, its files, its ports."""

from pathlib import PurePosixPath
from typing import Final

from vedette.application import Entry, InboundPort
from vedette.documents.application import ResolvedCode
from vedette.documents.code_files import collect
from vedette.documents.container_asset import ContainerArchive
from vedette.documents.document import parsed_as, read_document, shown_path
from vedette.documents.files import is_inside
from vedette.documents.findings import Finding
from vedette.documents.model_files import ModelFileError
from vedette.documents.models import DescriptorDocument, Implementation, RuntimeDescriptor
from vedette.documents.models.package import HardwareAccessRequirement
from vedette.documents.project import Package, Project
from vedette.documents.resolution.placed import PlacedNode
from vedette.documents.suggestions import did_you_mean

_ROOT: Final = "/panorama/"


def resolve_code(node: PlacedNode, project: Project, findings: list[Finding]) -> ResolvedCode | None:
    """Return the code of ``node``, or None and the reasons in ``findings``."""
    package, interface = node.package, node.interface
    if package is None or interface is None:
        return None
    implementations = implementations_of(node)
    _check_asset(node, package, findings)
    descriptor = _descriptor(package, implementations, project, findings)
    files = collect(package.folder, project.root, findings)
    folder = shown_path(package.folder, project.root)
    container = _container(implementations, package, project, findings)
    if not files.files and container is None:
        message = f"package {package.name}: it holds no code"
        hint = f"put the sources into {folder}/src/"
        findings.append(package.document.finding("V037", ("nodePackage",), message, hint, where=False))
        return None
    if descriptor is None:
        return None
    entry = _entry(descriptor)
    if files.files and container is None:
        _check_entry(entry, {file.target for file in files.files}, package, findings)
    ports = tuple(InboundPort(port=item.port, description=item.description) for item in interface.network.inbound_ports)
    return ResolvedCode(node.name, package, entry, files, ports, container)


def implementations_of(node: PlacedNode) -> list[Implementation]:
    """Return the implementations of the asset of the node's interface."""
    if node.package is None or node.interface is None:
        return []
    assets = node.package.document.require().node_package.assets
    return [item for asset in assets if asset.name == node.interface.asset for item in asset.implementations]


def wants_gpu(node: PlacedNode) -> bool:
    """Tell whether the node's package asks for a GPU."""
    requirements = [item for implementation in implementations_of(node) for item in implementation.requirements]
    return any(isinstance(item, HardwareAccessRequirement) and item.gpu for item in requirements)


def _container(
    implementations: list[Implementation], package: Package, project: Project, findings: list[Finding]
) -> ContainerArchive | None:
    """Return the container that the package's asset names, where it is there and can be read."""
    for item in implementations:
        path = project.assets / item.asset_uri
        if item.type != "container" or not is_inside(path, project.assets) or not path.is_file():
            continue
        try:
            return ContainerArchive(path, project.facts.sha256(path), project.facts.architecture(path))
        except (ModelFileError, OSError) as error:
            hint = "build the container again; until then the sources are used"
            message = f"package {package.name}: its container asset cannot be used: {error}"
            findings.append(package.document.finding("V079", ("nodePackage", "assets"), message, hint, where=False))
    return None


def _check_asset(node: PlacedNode, package: Package, findings: list[Finding]) -> None:
    """An asset that is named but not there is usual before the first build; another name in its place is a mistake."""
    content = package.document.require().node_package
    names = [asset.name for asset in content.assets]
    if node.interface is None or not node.interface.asset or node.interface.asset in names or not names:
        return
    pointer = ("nodePackage", "interfaces", content.interfaces.index(node.interface), "asset")
    message = f'asset "{node.interface.asset}" is not among the package\'s assets'
    hint = did_you_mean(node.interface.asset, names, what="assets")
    findings.append(package.document.finding("V023", pointer, message, hint))


def _descriptor(
    package: Package, implementations: list[Implementation], project: Project, findings: list[Finding]
) -> RuntimeDescriptor | None:
    """Return the runtime descriptor: of the package's folder, else the copy in assets/ of the last build."""
    documents = [package.descriptor] if package.descriptor is not None else []
    for implementation in implementations:
        path = project.assets / implementation.descriptor_uri
        if implementation.descriptor_uri and is_inside(path, project.assets) and path.is_file():
            documents.append(parsed_as(read_document(path, project.root), DescriptorDocument))
    for document in documents:
        findings += document.findings
        if document.model is None:
            return None
        if document.model.runtime_descriptor is not None:
            return document.model.runtime_descriptor
    message = f"package {package.name} has no runtime descriptor: it is not known how the code is started"
    hint = f"add descriptor.json with runtimeDescriptor to {shown_path(package.folder, project.root)}/"
    findings.append(package.document.finding("V036", ("nodePackage",), message, hint, where=False))
    return None


def _entry(descriptor: RuntimeDescriptor) -> Entry:
    entry = descriptor.entry
    if entry is None:
        return Entry()
    return Entry(
        path="" if entry.path == "$default" else entry.path,
        name=entry.name or "",
        arguments=entry.arguments,
        environment={item.name: item.value for item in entry.environment},
    )


def _check_entry(entry: Entry, targets: set[str], package: Package, findings: list[Finding]) -> None:
    document, file = package.descriptor, package.document.file
    if not entry.argv():
        message = f"package {package.name}: the runtime descriptor has no entry"
        findings.append(
            package.document.finding(
                "V036",
                ("nodePackage",),
                message,
                'add {"path": "python3", "name": "/panorama/application.py"}',
                where=False,
            )
        )
        return
    if not entry.name.startswith(_ROOT):
        return
    wanted = str(PurePosixPath(entry.name)).removeprefix(_ROOT)
    if wanted in targets:
        return
    hint = did_you_mean(wanted, targets) or f"files: {', '.join(sorted(targets)[:6])}"
    message = f"{entry.name} is started, but is not among the application's files"
    if document is not None and document.text is not None:
        findings.append(document.finding("V038", ("runtimeDescriptor", "entry", "name"), message, hint))
    else:
        findings.append(Finding(file, 0, 0, "V038", message, hint))
