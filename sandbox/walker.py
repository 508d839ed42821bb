"""A browser of the simplest kind: it reads HTML forms and links, submits them, follows redirects.

Used by the robots to walk real pages over real HTTP, with nothing but what a person would see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx

from sandbox.faces.pages import ROBOT

_MOST_REDIRECTS = 12
_PATIENCE_S = 20.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

Fields = list[tuple[str, str]]


class WalkError(Exception):
    """The walk cannot go on; the text says why. `again` when trying later may help."""

    def __init__(self, why: str, *, again: bool = False) -> None:
        super().__init__(why)
        self.again = again


@dataclass(slots=True)
class Input:
    """One field of a form."""

    name: str
    kind: str
    value: str
    chosen: bool = True
    """For boxes, radios and options: whether it is ticked as the page came."""


@dataclass(slots=True)
class Form:
    """One form: its mark (`data-step`), where it goes, its fields and buttons in order."""

    step: str
    action: str
    method: str
    inputs: list[Input] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.inputs)

    def values(self, name: str) -> list[str]:
        """All values a field may take, in order."""
        return [one.value for one in self.inputs if one.name == name]

    def filled(self, answers: dict[str, str | list[str]], button: tuple[str, str] | None) -> Fields:
        """The fields as a browser would send them, with `answers` in place of what stood there."""
        sent: Fields = []
        for one in self.inputs:
            if one.name not in answers and one.chosen:
                sent.append((one.name, one.value))
        for name, value in answers.items():
            sent += [(name, each) for each in (value if isinstance(value, list) else [value])]
        if button is not None:
            sent.append(button)
        return sent


@dataclass(slots=True)
class Page:
    """What came back: its final address, status, forms, and links that are marked."""

    url: str
    status: int
    forms: list[Form]
    links: dict[str, str]
    looks_again_at: str = ""
    """Where a page that refreshes itself goes next."""

    def form(self, *steps: str) -> Form | None:
        """The first form with one of these marks."""
        return next((form for form in self.forms if form.step in steps), None)


class _Reader(HTMLParser):
    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self._said = dict(parse_qsl(fragment))
        self._scripted = False
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.refresh: str | None = None
        self._open: Form | None = None
        self._select = ""
        self._area: Input | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(
                given.get("data-step", ""),
                given.get("action", ""),
                given.get("method", "get").lower(),
            )
            self.forms.append(self._open)
            # What the script of such a page does: it fills in what the address says behind the #.
            self._scripted = "data-fragment" in given
        elif tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.refresh = given.get("content", "").partition("url=")[2]
        elif tag == "a" and given.get("data-step") and given.get("href"):
            self.links.setdefault(given["data-step"], given["href"])
        elif self._open is not None:
            self._field(self._open, tag, given)

    def _field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        kind = given.get("type", "text").lower()
        if "disabled" in given:
            return
        if tag == "button" or (tag == "input" and kind == "submit"):
            if given.get("type", "submit").lower() == "submit":
                form.buttons.append((name, given.get("value", "")))
        elif tag == "input" and name:
            ticked = kind not in ("checkbox", "radio") or "checked" in given
            value = given.get("value", "on" if kind == "checkbox" else "")
            value = self._said.get(name, value) if self._scripted else value
            form.inputs.append(Input(name, kind, value, ticked))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            first = not form.has(self._select)
            if "selected" in given:
                for one in form.inputs:
                    one.chosen = one.chosen and one.name != self._select
            chosen = first or "selected" in given
            form.inputs.append(Input(self._select, "option", given.get("value", ""), chosen))
        elif tag == "textarea" and name:
            self._area = Input(name, "textarea", "")
            form.inputs.append(self._area)

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.value += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = None


def read_page(url: str, status: int, html: str) -> Page:
    """Forms and marked links of a page, their addresses made absolute."""
    reader = _Reader(urlsplit(url).fragment)
    reader.feed(html)
    for form in reader.forms:
        form.action = urljoin(url, form.action or url)
    links = {step: urljoin(url, href) for step, href in reader.links.items()}
    again = "" if reader.refresh is None else urljoin(url, reader.refresh)
    return Page(url, status, reader.forms, links, again)


class Walker:
    """One visit of one person: cookies of its own, addresses of this machine only."""

    def __init__(self, transport: httpx.AsyncBaseTransport, hosts: set[str] | None = None) -> None:
        self._hosts = _LOOPBACK | (hosts or set())
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=_PATIENCE_S,
            headers={"User-Agent": f"Mozilla/5.0 ({ROBOT})", "Accept": "text/html"},
        )

    async def open(self, url: str) -> Page:
        """Follow a link. Raises `WalkError`."""
        return await self._go("GET", url, None, "none")

    async def submit(
        self,
        form: Form,
        answers: dict[str, str | list[str]] | None = None,
        button: tuple[str, str] | None = None,
    ) -> Page:
        """Send a form: `answers` by field name, with the given or its first button."""
        if button is None and form.buttons and form.buttons[0][0]:
            button = form.buttons[0]
        fields = form.filled(answers or {}, button)
        if form.method == "get":
            query = urlencode(fields)
            return await self._go("GET", f"{form.action.partition('?')[0]}?{query}", None, "none")
        return await self._go("POST", form.action, fields, "same-origin")

    async def _go(self, verb: str, url: str, fields: Fields | None, site: str) -> Page:
        for _ in range(_MOST_REDIRECTS):
            if urlsplit(url).hostname not in self._hosts:
                raise WalkError(f"left for {urlsplit(url).hostname}")
            answer = await self._ask(verb, url, fields, site)
            if answer.status_code not in (301, 302, 303, 307, 308):
                if answer.status_code >= 500:
                    raise WalkError(f"{answer.status_code} at {urlsplit(url).path}", again=True)
                return read_page(url, answer.status_code, answer.text)
            onward = urljoin(url, answer.headers.get("location", ""))
            same = urlsplit(onward)[:2] == urlsplit(url)[:2]
            site = "same-origin" if same else "cross-site"
            if answer.status_code in (301, 302, 303):
                verb, fields = "GET", None
            url = onward
        raise WalkError("too many redirects")

    async def _ask(self, verb: str, url: str, fields: Fields | None, site: str) -> httpx.Response:
        headers = {
            "Sec-Fetch-Site": site,
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        content = None
        if fields is not None:
            parts = urlsplit(url)
            headers["Origin"] = f"{parts.scheme}://{parts.netloc}"
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urlencode(fields).encode()
        try:
            return await self._http.request(verb, url, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise WalkError(f"{type(error).__name__}", again=True) from error
