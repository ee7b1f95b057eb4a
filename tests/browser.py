# SPDX-License-Identifier: MIT
"""What a headless Chromium shows of a page."""
import json
import re
import subprocess

PROBE = """<script>
window.onerror = (text) => { document.title += " ERROR " + text };
console.error = console.warn = (...words) => { document.title += " ERROR " + words.join(" ") };
addEventListener("load", () => {
  const isPainted = (mark) => !mark.closest("defs") && mark.matches("path, line, use, text")
    && (getComputedStyle(mark).fill !== "none" || getComputedStyle(mark).stroke !== "none");
  const shown = [...document.querySelectorAll("figure svg")].map((svg) => {
    const box = svg.getBoundingClientRect(), marks = {}, colours = new Set();
    for (const mark of svg.querySelectorAll(".data")) {
      const own = mark.getBoundingClientRect();
      const width = Math.min(own.right, box.right) - Math.max(own.left, box.left);
      const height = Math.min(own.bottom, box.bottom) - Math.max(own.top, box.top);
      // A line may go straight up; what is filled shows nothing where it has no height.
      const isThere = mark.matches(".bar, .area, .value") ? width > 2 && height > 2 : width > 2 || height > 2;
      const painted = [mark, ...mark.querySelectorAll("*")].filter(isPainted);
      if (!isThere || !painted.length) continue;
      const kind = mark.classList[1];
      marks[kind] = (marks[kind] || 0) + 1;
      painted.forEach((p) => colours.add(getComputedStyle(p).fill + getComputedStyle(p).stroke));
    }
    return [Math.round(box.width), Math.round(box.height), marks, colours.size];
  });
  const pre = document.createElement("pre");
  pre.id = "shown";
  pre.textContent = JSON.stringify({ title: document.title, shown });
  document.body.append(pre);
});
</script>"""


def look(page, directory):
    """(title, [(width, height, {kind of data: marks that can be seen}, number of their colours) of each picture])
    of a page, and its screenshot beside it; whatever the console said is an AssertionError."""
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!#)', text), "nothing outside of the page"
    probed = directory / "probed.html"
    probed.write_text(text.replace("<style>", PROBE + "<style>", 1))
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
               f"--user-data-dir={directory / 'browser'}", "--enable-logging=stderr", "--hide-scrollbars"]
    shown = subprocess.run([*browser, "--dump-dom", probed.as_uri()], capture_output=True, text=True,
                           timeout=240)
    assert shown.returncode == 0 and "CONSOLE" not in shown.stderr, shown.stderr
    found = json.loads(re.search(r'<pre id="shown">(.*?)</pre>', shown.stdout, re.S).group(1))
    subprocess.run([*browser, f"--screenshot={page.with_suffix('.png')}", "--window-size=1200,2400",
                    page.as_uri()], capture_output=True, check=True, timeout=240)
    return found["title"], found["shown"]


def assert_full(shown, expected):
    """shown: look()'s; expected: {kind of data: marks} of each picture."""
    assert [marks for _, _, marks, _ in shown] == expected
    for width, height, marks, colours in shown:
        assert width > 300 and height > 100 and colours > 1
