"""Reads a page's forms as a browser without scripts would."""

from html.parser import HTMLParser


class Forms(HTMLParser):
    """Every form with its fields; a radio button counts only when it is checked."""

    def __init__(self, page):
        super().__init__()
        self.forms = []
        self.references = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.references += [given[name] for name in ("src", "href") if name in given]
        if tag == "form":
            self.forms.append({**given, "fields": {}, "choices": {}, "buttons": []})
        elif tag == "input":
            self._input(given)
        elif tag == "button":
            self.forms[-1]["buttons"].append((given.get("name"), given.get("value")))

    def _input(self, given):
        form, name, value = self.forms[-1], given["name"], given.get("value", "")
        if given.get("type") == "radio":
            form["choices"].setdefault(name, []).append(value)
            if "checked" not in given:
                return
        form["fields"][name] = value
