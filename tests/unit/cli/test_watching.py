"""Which saves start an application again."""

from pathlib import Path

from vedette.cli.watching import ProjectWatch


def test_save_goes_unnoticed(tmp_path: Path) -> None:
    source = tmp_path / "packages" / "a" / "application.py"
    source.parent.mkdir(parents=True)
    source.write_text("1")
    watch = ProjectWatch(tmp_path, clock=lambda: 0.0)
    assert watch.changed() == []
    source.write_text("12")
    (tmp_path / "graph.json").write_text("{}")
    assert watch.changed() == ["graph.json", "packages/a/application.py"]
    assert watch.changed() == []
    source.unlink()
    assert watch.changed() == ["packages/a/application.py"]


def test_save_of_the_same_size_goes_unnoticed(tmp_path: Path) -> None:
    source = tmp_path / "application.py"
    source.write_text("1")
    watch = ProjectWatch(tmp_path, clock=lambda: 0.0)
    fresh = tmp_path / "application.py.new"
    fresh.write_text("2")
    watch.changed()
    fresh.replace(source)
    assert "application.py" in watch.changed()


def test_what_runs_write_starts_the_application_again(tmp_path: Path) -> None:
    watch = ProjectWatch(tmp_path, clock=lambda: 0.0)
    for name in (".vedette/logs/x.log", "packages/__pycache__/a.pyc", ".git/index", "a.py~", ".a.py.swp", ".#a.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert watch.changed() == []


def test_looking_at_a_great_project_takes_all_the_time(tmp_path: Path) -> None:
    times = iter([0.0, 2.0, 10.0, 20.0, 22.0])
    watch = ProjectWatch(tmp_path, clock=lambda: next(times))
    (tmp_path / "a").write_text("x")
    assert watch.changed() == ["a"]  # from 0 to 2
    (tmp_path / "b").write_text("x")
    assert watch.changed() == []  # at 10: it rests
    assert watch.changed() == ["b"]  # from 20
