"""Copy what the pages need of the installed front-end packages to where static files are found.

    python scripts/copy_frontend.py

From `node_modules/` (never committed) to `tenants/web/static/vendor/` (neither): style sheet,
the fonts that it names, and the licence, which the wheel must carry with them.
"""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERN = ROOT / "node_modules" / "@kern-ux" / "native"
TARGET = ROOT / "tenants" / "web" / "static" / "vendor" / "kern"
_FONT = re.compile(r'url\("\./([^"]+)"\)')


def main() -> None:
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    shutil.copyfile(KERN / "dist" / "kern.min.css", TARGET / "kern.min.css")
    shutil.copyfile(KERN / "LICENSE.md", TARGET / "LICENSE.md")
    fonts = KERN / "dist" / "fonts"
    sheet = (fonts / "fira-sans.css").read_text()
    (TARGET / "fira-sans.css").write_text(sheet)
    for name in _FONT.findall(sheet):
        (TARGET / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(fonts / name, TARGET / name)


if __name__ == "__main__":
    main()
