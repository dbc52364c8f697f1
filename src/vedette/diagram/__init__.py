"""An application as something to look at: a tree for the terminal, Mermaid, SVG, JSON."""

from vedette.diagram.document import as_document
from vedette.diagram.drawing_up import picture_of
from vedette.diagram.mermaid import as_mermaid
from vedette.diagram.picture import Picture
from vedette.diagram.svg import as_svg
from vedette.diagram.tree import as_tree

__all__ = ["Picture", "as_document", "as_mermaid", "as_svg", "as_tree", "picture_of"]
