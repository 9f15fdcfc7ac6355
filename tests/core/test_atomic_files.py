"""Files that are replaced as a whole, and settings that several processes change."""

import stat
from pathlib import Path

import pytest

from semcolor.shared.atomic_files import patiently, replacing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("has_links", [True, False])
def test_what_came_meanwhile_stays_if_only_new_is_written(tmp_path, monkeypatch, has_links):
    if not has_links:  # as on a memory card

        def refuse(*_):
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    file = tmp_path / "out.png"
    with replacing(file, only_new=True) as part:
        part.write_bytes(b"new")
    assert (file.read_bytes(), names(tmp_path)) == (b"new", ["out.png"])
    file.unlink()
    block = replacing(file, only_new=True)
    block.__enter__().write_bytes(b"mine")
    file.write_bytes(b"another's")
    with pytest.raises(FileExistsError):
        block.__exit__(None, None, None)
    assert (file.read_bytes(), names(tmp_path)) == (b"another's", ["out.png"])


def test_the_old_content_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    file.write_text("old")
    with replacing(file) as part:
        assert part.suffix == ".png"
        part.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert names(tmp_path) == ["photo.png"]


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    file.write_text("old")

    def fail() -> None:
        with replacing(file) as part:
            part.write_text("half of the n")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 (it is ours)
        fail()
    assert file.read_text() == "old"
    assert names(tmp_path) == ["photo.png"]


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "photo.png"
    with replacing(file) as one, replacing(file) as other:
        one.write_text("one")
        other.write_text("other")
    assert file.read_text() == "one"  # whose block ended last
    assert names(tmp_path) == ["photo.png"]


@pytest.mark.posix
@pytest.mark.parametrize("before", [0o600, 0o640, 0o444])
def test_the_mode_is_kept(tmp_path: Path, before: int) -> None:
    file = tmp_path / "photo.png"
    file.touch()
    file.chmod(before)
    with replacing(file) as part:
        assert mode(part) == 0o600
        part.write_text("new")
    assert mode(file) == before


@pytest.mark.posix
def test_a_private_file_is_so_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(0o644)
    with replacing(file, private=True) as part:
        assert mode(part) == 0o600
    assert mode(file) == 0o600


def test_a_new_file_has_the_mode_that_others_get(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    with replacing(tmp_path / "photo.png"):
        pass
    assert mode(tmp_path / "photo.png") == mode(tmp_path / "other")


@pytest.mark.posix
def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "real.png"
    target.write_text("old")
    link = tmp_path / "photo.png"
    link.symlink_to(target)
    with replacing(link) as part:
        assert part.parent == target.parent
        part.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


@pytest.mark.parametrize(("platform", "is_tried_again"), [("win32", True), ("linux", False)])
def test_a_file_that_somebody_has_open_is_waited_for_on_windows(
    monkeypatch, platform, is_tried_again
):
    monkeypatch.setattr("sys.platform", platform)
    refusals = [PermissionError(), PermissionError()]

    def use():
        if refusals:
            raise refusals.pop()
        return "used"

    if is_tried_again:
        assert patiently(use) == "used"
    else:
        with pytest.raises(PermissionError):
            patiently(use)
