"""Documents that say how a frame becomes a model's input, as options name them."""

from pathlib import Path

from vedette.cli.failure import Failure
from vedette.pictures import FrameDocument, SpecificationError, read_frame_document


def frame_document(path: Path | None) -> FrameDocument | None:
    """Return the document in a file; None where none is named.

    :raises Failure: if it cannot be read, or says what it may not
    """
    if path is None:
        return None
    try:
        return read_frame_document(path.read_bytes())
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from error
    except SpecificationError as error:
        raise Failure(f"{path}: {error}") from error
