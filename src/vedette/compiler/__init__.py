"""Compiles a resolved application to Greengrass components: recipes, artifacts, configuration, secrets.

``compile_application`` reads files and writes none; ``write_store`` puts the result into a component store of the local
nucleus, ``write_folder`` into a folder with all that a deployment to devices needs.
"""

from vedette.compiler.compilation import Compiled, compile_application
from vedette.compiler.component import ArtifactFile, CompiledComponent
from vedette.compiler.deployment import Target, TargetError, create_deployment, device_document
from vedette.compiler.folder import WrittenFolder, write_folder, write_secrets
from vedette.compiler.live_sources import only_files_differ, write_live_sources
from vedette.compiler.naming import application_component, model_component
from vedette.compiler.needed_secrets import NeededSecret, needed_secrets
from vedette.compiler.writing import WrittenComponent, write_components, write_store

__all__ = [
    "ArtifactFile",
    "Compiled",
    "CompiledComponent",
    "NeededSecret",
    "Target",
    "TargetError",
    "WrittenComponent",
    "WrittenFolder",
    "application_component",
    "compile_application",
    "create_deployment",
    "device_document",
    "model_component",
    "needed_secrets",
    "only_files_differ",
    "write_components",
    "write_folder",
    "write_live_sources",
    "write_secrets",
    "write_store",
]
