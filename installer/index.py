"""pip's own file from a Python package index, found as pip would. Standard library only."""

import configparser
import hashlib
import http.client
import os
import re
import ssl
import sys
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

PYPI = "https://pypi.org/simple"


class DownloadError(Exception):
    """Something can't be had from an index. The message says what and why."""


def download_pip(folder: Path) -> Path:
    """Download pip's newest wheel that runs on this Python from the index that pip would use.

    Raises:
        DownloadError: the index can't be read, or the file is not what the index promised.
    """
    address = pip_page()
    link = newest_pip(fetch(address).decode(errors="replace"), address)
    url, promised = urldefrag(link)
    wheel = fetch(url)
    if promised != f"sha256={hashlib.sha256(wheel).hexdigest()}":
        raise DownloadError(f"{_host(url)} sent a damaged file (its checksum is wrong)")
    path = folder / url.rpartition("/")[2]
    path.write_bytes(wheel)
    return path


def pip_page() -> str:
    """The address of the index's page about pip."""
    return (pip_setting("index-url") or PYPI).rstrip("/") + "/pip/"


def newest_pip(page: str, address: str) -> str:
    """The link, with its checksum, to pip's newest stable wheel that runs on this Python.

    Args:
        page: an index's page about pip, in the HTML that every index has.
        address: the address of that page.

    Raises:
        DownloadError: the page has no such link.
    """
    found: list[tuple[tuple[int, ...], str]] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            link = dict(attrs)
            href = link.get("href") or ""
            wheel = re.search(r"(?:^|/)pip-(\d+(?:\.\d+)*)-py3-none-any\.whl#sha256=", href)
            oldest = re.search(r">=\s*3\.(\d+)", link.get("data-requires-python") or "")
            fits = oldest is None or (3, int(oldest[1])) <= sys.version_info
            if tag == "a" and wheel and fits and "data-yanked" not in link:
                found.append((tuple(map(int, wheel[1].split("."))), urljoin(address, href)))

    Links().feed(page)
    if not found:
        raise DownloadError(f"{_host(address)} offers no pip")
    return max(found)[1]


def reachable(page: str) -> bool:
    """Whether an index's page is there within some seconds; pip itself would try for minutes."""
    try:
        fetch(page, method="HEAD", timeout=4)
    except DownloadError:
        return False
    return True


def fetch(url: str, method: str = "GET", timeout: float = 60) -> bytes:
    """Download a file by the proxy and with the certificates that pip is told to use.

    Raises:
        DownloadError: it can't be had.
    """
    wanted = {"Accept": "application/vnd.pypi.simple.v1+html, text/html;q=0.2, */*;q=0.1"}
    try:
        # SSL_CERT_FILE is read by the ssl module itself.
        context = ssl.create_default_context(cafile=pip_setting("cert"))
        request = urllib.request.Request(url, headers=wanted, method=method)
        proxy = pip_setting("proxy")  # else that of the environment
        proxies = urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None)
        opener = urllib.request.build_opener(proxies, urllib.request.HTTPSHandler(context=context))
        with opener.open(request, timeout=timeout) as answer:
            content: bytes = answer.read()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"{_host(url)} can't be reached ({error})") from error
    return content


def _host(url: str) -> str:
    """The part of an address that can be shown: the rest may contain a password."""
    return urlsplit(url).hostname or "the package index"


def pip_setting(name: str) -> str | None:
    """A setting, such as `index-url`, from pip's environment variables or configuration files."""
    value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
    if value:
        return value
    config = configparser.RawConfigParser()
    try:
        config.read(_pip_files(), encoding="utf-8")  # a later one wins
    except configparser.Error as error:
        raise ValueError(f"pip's configuration: {error}") from error
    return config.get("install", name, fallback=config.get("global", name, fallback=None))


def _pip_files() -> list[Path]:
    """pip's configuration files, which needn't be there, the strongest last."""
    named = Path(os.environ.get("PIP_CONFIG_FILE") or os.devnull)
    home = Path.home()
    if sys.platform == "win32":
        shared_folder = Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"))
        folders = [shared_folder / "pip", home / "pip", Path(os.environ["APPDATA"]) / "pip"]
        return [*(folder / "pip.ini" for folder in folders), named]
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf")]
    users = [home / ".pip/pip.conf", config_home / "pip/pip.conf"]
    if sys.platform == "darwin":
        shared.append(Path("/Library/Application Support/pip/pip.conf"))
        users.append(home / "Library/Application Support/pip/pip.conf")
    return [*shared, *users, named]
