"""How a process is asked to compute in large pages."""

from vedette.large_pages import with_large_pages


def test_what_somebody_else_tuned_is_lost() -> None:
    assert with_large_pages({"A": "b"}) == {"A": "b", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    tuned = with_large_pages({"GLIBC_TUNABLES": "glibc.malloc.arena_max=2"})
    assert tuned == {"GLIBC_TUNABLES": "glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1"}
