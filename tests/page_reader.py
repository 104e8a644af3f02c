"""Reads a page with the standard library, and refuses one whose tags do not fit together."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict
    children: list = field(default_factory=list)

    def all(self, tag):
        """The elements of a kind below this one, in the page's order."""
        found = []
        for child in self.children:
            if isinstance(child, Element):
                found += [child] * (child.tag == tag) + child.all(tag)
        return found

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)


class Reader(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = [Element("page", {})]

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes), f"<{tag}> has an attribute twice"
        element = Element(tag, dict(attributes))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].children.append(Element(tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def read_page(text):
    """The page as a tree."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert [element.tag for element in reader.open] == ["page"]
    return reader.open[0]


def section(page, name):
    return next(element for element in page.all("section") if element.attributes["id"] == name)


def rows(table):
    """A table's rows as dicts of its column titles: numbers as they are sorted by, else the text."""
    titles = [head.text.strip() for head in table.all("thead")[0].all("th")]
    return [dict(zip(titles, map(_value, row.all("td")), strict=True)) for row in table.all("tbody")[0].all("tr")]


def _value(cell):
    return float(cell.attributes["data-value"]) if "data-value" in cell.attributes else cell.text
