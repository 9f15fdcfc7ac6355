"""pip from a package index."""

import hashlib
import http.server
import threading
import urllib.request
from pathlib import Path

import pytest

from semcolor_installer import index

ADDRESS = "https://packages.example/simple/pip/"


def link(version: str, attributes: str = "", checksum: str = "#sha256=abc") -> str:
    name = f"pip-{version}-py3-none-any.whl"
    return f'<a href="../../files/{name}{checksum}" {attributes}>{name}</a><br/>\n'


def test_newest_stable_wheel_is_taken():
    page = link("9.0.3") + link("26.10") + link("26.9.1") + link("27.0b1")
    page += '<a href="pip-28.0.tar.gz#sha256=abc">pip-28.0.tar.gz</a>'
    chosen = index.newest_pip(page, ADDRESS)
    wheel = "pip-26.10-py3-none-any.whl#sha256=abc"
    assert chosen == f"https://packages.example/files/{wheel}"


@pytest.mark.parametrize(
    "newer",
    [
        link("27.0", 'data-yanked=""'),
        link("27.0", 'data-requires-python="&gt;=3.99"'),
        link("27.0", checksum=""),
        link("27.0").replace("pip-", "other-pip-"),
    ],
    ids=["yanked", "of a later Python", "without checksum", "of another project"],
)
def test_unfit_wheel_is_passed_over(newer: str):
    fit = link("26.0", 'data-requires-python="&gt;=3.9"')
    assert "/pip-26.0-" in index.newest_pip(newer + fit, ADDRESS)


def test_index_without_pip_is_named_without_its_password():
    with pytest.raises(index.DownloadError, match=r"^packages\.example offers no pip$"):
        index.newest_pip("<html></html>", "https://ada:secret@packages.example/simple/pip/")


@pytest.fixture
def folder_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with one wheel; what is fetched comes from this folder."""
    wheel = tmp_path / "pip-26.0-py3-none-any.whl"
    wheel.write_bytes(b"good")
    checksum = hashlib.sha256(b"good").hexdigest()
    (tmp_path / "page").write_text(f'<a href="{wheel.name}#sha256={checksum}"></a>')
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple/")

    def fetch(url: str) -> bytes:
        name = "page" if url == ADDRESS else url.removeprefix(ADDRESS)
        return (tmp_path / name).read_bytes()

    monkeypatch.setattr(index, "fetch", fetch)
    return tmp_path


def test_wheel_is_saved_when_its_checksum_is_right(folder_index: Path, tmp_path: Path):
    (tmp_path / "to").mkdir()
    assert index.download_pip(tmp_path / "to").read_bytes() == b"good"


def test_wheel_with_a_wrong_checksum_is_refused(folder_index: Path, tmp_path: Path):
    (folder_index / "pip-26.0-py3-none-any.whl").write_bytes(b"evil")
    (tmp_path / "to").mkdir()
    with pytest.raises(index.DownloadError, match="checksum"):
        index.download_pip(tmp_path / "to")
    assert not any((tmp_path / "to").iterdir())


def test_index_that_is_not_there_is_a_sentence():
    with pytest.raises(index.DownloadError, match=r"^localhost can't be reached \("):
        index.fetch("http://localhost:1/simple/")


def test_index_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch):
    waited = []

    def open_never(*_: object, timeout: float, **__: object):
        waited.append(timeout)
        raise TimeoutError

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", open_never)
    assert not index.reachable(ADDRESS)
    assert waited[0] < 10


def test_settings_of_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://in-the-file/%s\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert index.pip_setting("index-url") == "https://in-the-file/%s"
    monkeypatch.setenv("PIP_INDEX_URL", "https://in-the-environment")
    assert index.pip_setting("index-url") == "https://in-the-environment"


def test_pips_own_proxy_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A proxy that answers for a host that there is not."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.path.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = tmp_path / "pip.conf"
    file.write_text(f"[global]\nproxy = http://127.0.0.1:{server.server_port}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_PROXY", raising=False)
    try:
        address = "http://nowhere.invalid/simple/"
        assert index.fetch(address, timeout=10) == address.encode()
    finally:
        server.shutdown()
        server.server_close()
