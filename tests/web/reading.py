"""A page as a test reads it: title, words, forms with their fields, and what makes it usable."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})


@dataclass(slots=True)
class FoundForm:
    """One form: where it goes, its mark, and its fields as they came."""

    step: str
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    boxes: list[tuple[str, str, bool]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    options: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Page(HTMLParser):
    """Reads one page. `problems` lists what an automatic check can see is wrong with it."""

    title: str = ""
    lang: str = ""
    forms: list[FoundForm] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    text: str = ""
    _open: list[str] = field(default_factory=list)
    _labels: set[str] = field(default_factory=set)
    _inputs: list[tuple[str, str]] = field(default_factory=list)
    _button: str | None = None
    _select: str = ""

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)

    @classmethod
    def read(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        page.close()
        page._check()
        return page

    def form(self, step: str) -> FoundForm:
        """The first form with this mark."""
        return next(form for form in self.forms if form.step == step)

    def has(self, step: str) -> bool:
        """Is there a form with this mark?"""
        return any(form.step == step for form in self.forms)

    # ---------------------------------------------------------- reading

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._look_for_inline_code(tag, given)
        if tag not in _VOID:
            self._open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "html":
            self.lang = given.get("lang", "")
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        elif tag == "label":
            self._labels.add(given.get("for", ""))
        elif tag == "form":
            self.forms.append(
                FoundForm(
                    given.get("data-step", ""),
                    given.get("action", ""),
                    given.get("method", "get").lower(),
                )
            )
        elif tag in {"input", "select", "textarea", "button", "option"}:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        form = self.forms[-1] if "form" in self._open and self.forms else None
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag in {"input", "select", "textarea"} and kind != "hidden" and "hidden" not in given:
            self._inputs.append((given.get("id", ""), name))
        if form is None:
            return
        if tag == "option":
            form.options[self._select].append(given.get("value", ""))
            if "selected" in given:
                form.fields[self._select] = given.get("value", "")
        elif tag == "select":
            self._select = name
            form.options[name] = []
            form.fields.setdefault(name, "")
        elif tag == "button":
            form.buttons.append((name, given.get("value", "")))
            self._button = ""
        elif kind == "checkbox":
            form.boxes.append((name, given.get("value", "on"), "checked" in given))
        else:
            form.fields[name] = given.get("value", "")

    def _look_for_inline_code(self, tag: str, given: dict[str, str]) -> None:
        if "style" in given or any(name.startswith("on") for name in given):
            self.problems.append(f"inline code on <{tag}>")
        if tag == "style" or (tag == "script" and "src" not in given):
            self.problems.append(f"inline <{tag}>")
        if given.get("href", "").startswith("javascript:"):
            self.problems.append("a link that is code")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "title":
            self.title += data
        elif not self._open or self._open[-1] not in {"script", "style"}:
            self.text += data
        if self._button is not None:
            self._button += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None:
            if not self._button.strip():
                self.problems.append("a button without words")
            self._button = None
        while self._open:
            if self._open.pop() == tag:
                break

    # ---------------------------------------------------------- judging

    def _check(self) -> None:
        self.text = re.sub(r"\s+", " ", self.text)
        for field_id, name in self._inputs:
            if not field_id or field_id not in self._labels:
                self.problems.append(f"the field {name!r} has no label")
        doubled = {one for one in self.ids if self.ids.count(one) > 1}
        if doubled:
            self.problems.append(f"ids used twice: {sorted(doubled)}")
        if self.headings.count(1) != 1:
            self.problems.append("not exactly one main heading")
        for before, after in zip(self.headings, self.headings[1:], strict=False):
            if after > before + 1:
                self.problems.append(f"heading {before} is followed by {after}")
        if not self.title.strip():
            self.problems.append("no title")
        if not self.lang:
            self.problems.append("no language")
        for form in self.forms:
            if form.method == "post" and "csrf" not in form.fields:
                self.problems.append(f"the form {form.step!r} carries no token")
