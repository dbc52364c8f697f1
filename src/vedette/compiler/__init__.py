"""Compiles a resolved application to Greengrass components: recipes, artifacts, configuration, secrets.

``compile_application`` reads files and writes none; ``write_store`` puts the result into a component store.
"""

from vedette.compiler.compilation import Compiled, compile_application
from vedette.compiler.component import ArtifactFile, CompiledComponent
from vedette.compiler.naming import application_component, model_component
from vedette.compiler.writing import WrittenComponent, write_components, write_store

__all__ = [
    "ArtifactFile",
    "Compiled",
    "CompiledComponent",
    "WrittenComponent",
    "application_component",
    "compile_application",
    "model_component",
    "write_components",
    "write_store",
]
