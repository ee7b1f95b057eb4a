# SPDX-License-Identifier: MIT
"""What a headless Chromium shows of a page."""
import json
import re
import subprocess

PROBE = """<script>
window.onerror = (text) => { document.title += " ERROR " + text };
console.error = console.warn = (...words) => { document.title += " ERROR " + words.join(" ") };
addEventListener("load", () => {
  const shown = [...document.querySelectorAll("figure svg")].map((svg) => {
    const marks = [...svg.querySelectorAll("path, line, rect, use")].filter((mark) => {
      const box = mark.getBoundingClientRect();
      const paint = getComputedStyle(mark);
      return (box.width > 2 || box.height > 2) && !mark.closest("defs")
        && (paint.fill !== "none" || paint.stroke !== "none");
    });
    const colours = new Set(marks.flatMap((m) => [getComputedStyle(m).fill, getComputedStyle(m).stroke]));
    const box = svg.getBoundingClientRect();
    return [Math.round(box.width), Math.round(box.height), marks.length, colours.size];
  });
  const pre = document.createElement("pre");
  pre.id = "shown";
  pre.textContent = JSON.stringify({ title: document.title, shown });
  document.body.append(pre);
});
</script>"""


def look(page, directory):
    """(title, [(width, height, marks, colours) of each picture]) of a page, and its screenshot beside it;
    whatever the console said is an AssertionError."""
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
