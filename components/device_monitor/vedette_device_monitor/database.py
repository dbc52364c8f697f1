"""A small SQLite file, opened whole or not at all."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["open_database", "open_or_begin_anew"]


def open_database(path: Path, schema: str, pragmas: Mapping[str, str]) -> sqlite3.Connection:
    """Open the file at ``path``, set ``pragmas``, and make what of ``schema`` is not there. For one thread at a time.

    :raises sqlite3.OperationalError: if the file or its disk cannot be used now
    :raises sqlite3.DatabaseError: if it is damaged
    """
    db = sqlite3.connect(path, timeout=5.0, check_same_thread=False)
    try:
        for name, value in pragmas.items():
            db.execute(f"PRAGMA {name} = {value}")
        db.executescript(schema)
    except BaseException:
        db.close()
        raise
    return db


def open_or_begin_anew(
    path: Path, schema: str, pragmas: Mapping[str, str], put_aside: Callable[[], object]
) -> sqlite3.Connection | None:
    """Open the file at ``path`` as :func:`open_database` does; a damaged one is put aside, and a new one begun.

    :param put_aside: takes the damaged file away
    :return: None where the new one is damaged as well
    :raises sqlite3.OperationalError: if the file or its disk cannot be used now
    """
    for again in (False, True):
        try:
            return open_database(path, schema, pragmas)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            if not again:
                put_aside()
    return None
