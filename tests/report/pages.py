"""Pages as ``carcloc report`` writes them, read back."""

from html.parser import HTMLParser

from carcinosis_loc.cli import main

NAMES = ("<script>window.hacked=1</script>.png", '" onload="window.hacked=1.png', "{{ 7*7 }}</script><img src=x>.png")


class Reader(HTMLParser):
    """Keeps the tags with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._raw = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self._raw = None

    def handle_data(self, data):
        if self._raw is None:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def page_of(folder, *words):
    assert main(["report", str(folder), *words]) == 0
    return (folder / "report.html").read_text(encoding="utf-8")
