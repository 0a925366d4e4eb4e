"""Take the README's picture: the distances in the demo's report, in headless Chromium.

Run it after ``make demo``: ``python docs/make_picture.py cohortflow-demo/report.html``.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(__file__).with_name("images") / "report.png"
SIZE = (1100, 1480)


def main(report: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or "google-chrome"
    # Head and one section fill the picture; the report itself is left as it is.
    others = "section:not(#pair_maps), #pair_maps table, #pair_maps caption"
    hidden = f"<style>{others} {{display: none}}</style>"
    page = report.read_text("utf-8").replace("</head>", f"{hidden}</head>")
    with tempfile.TemporaryDirectory() as profile:
        shown = Path(profile) / "report.html"
        shown.write_text(page, "utf-8")
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                "--disable-background-networking",
                f"--user-data-dir={profile}",
                f"--window-size={SIZE[0]},{SIZE[1]}",
                f"--screenshot={OUT}",
                shown.as_uri(),
            ],
            check=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
