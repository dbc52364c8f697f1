"""Which topics a filter stands for."""

__all__ = ["matches"]


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether a topic matches: ``+`` is one level, a last ``#`` one level or more."""
    filters, levels = topic_filter.split("/"), topic.split("/")
    if filters[-1] == "#":
        filters = filters[:-1]
        if len(levels) <= len(filters):
            return False
        levels = levels[: len(filters)]
    return len(filters) == len(levels) and all(want in {"+", got} for want, got in zip(filters, levels, strict=True))
