"""Write the report's picture: as SVG, or as PNG by a program that this machine has."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.report.document.report_document import Report
from seclatch.report.html_page import render_card
from seclatch.report.share_card import HEIGHT, WIDTH

_SECONDS = 60
# Program -> its arguments. The browsers are last: they take a second.
_BROWSER = (
    "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars "
    "--force-device-scale-factor=1 --screenshot={png} --window-size={width},{height} {svg}"
)
_RENDERERS = {
    "resvg": "{svg} {png}",
    "rsvg-convert": "-o {png} {svg}",
    "chromium": _BROWSER,
    "chromium-browser": _BROWSER,
    "google-chrome": _BROWSER,
}
_PNG = b"\x89PNG\r\n\x1a\n"


def render_png(report: Report) -> bytes:
    """Render the picture as PNG. Raises SeclatchError: which programs can, and how one failed."""
    found = [name for name in _RENDERERS if shutil.which(name)]
    if not found:
        raise SeclatchError(
            f"rendering the picture as PNG: none of {', '.join(_RENDERERS)} is installed",
            remedy="install one (Debian: librsvg2-bin), or write SVG: -o FILE.svg",
        )
    failures = []
    with tempfile.TemporaryDirectory(prefix="seclatch-card-") as folder:
        svg, png = Path(folder) / "card.svg", Path(folder) / "card.png"
        svg.write_text(render_card(report))
        for name in found:
            problem = _run(name, svg, png)
            if not problem:
                return png.read_bytes()
            failures.append(f"{name}: {problem}")
    raise SeclatchError(
        f"rendering the picture as PNG: {'; '.join(failures)}",
        remedy="write SVG: -o FILE.svg",
    )


def _run(name: str, svg: Path, png: Path) -> str:
    """Run a program; return why it made no picture, or nothing."""
    words = [
        word.format(svg=svg, png=png, width=WIDTH, height=HEIGHT)
        for word in _RENDERERS[name].split()
    ]
    try:
        done = subprocess.run(
            [name, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if not png.exists() or not png.read_bytes().startswith(_PNG):
        return f"exit status {done.returncode}, no picture: {done.stderr.strip()[-300:]}"
    return ""
