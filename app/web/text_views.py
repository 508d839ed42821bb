"""How a text is shown to whoever writes it: filled in, measured, checked, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

from app.domain.errors import Invalid
from app.domain.message import Channel
from app.domain.sms_text import SmsEncoding, measure
from app.domain.template import (
    LONGEST_BODY,
    PLACES,
    Cause,
    Template,
    faults_of,
    given_for,
    missing_for,
    render,
)
from app.domain.text_diff import Change, word_diff
from app.domain.tone import Finding, tone_findings

_ENCODINGS: Final = {
    SmsEncoding.GSM7: "GSM-7, the short alphabet",
    SmsEncoding.UCS2: "UCS-2: one letter outside the short alphabet makes every text longer",
}


@dataclass(frozen=True, slots=True)
class Size:
    """One line about the length of what leaves."""

    told: str
    encoding: str = ""
    outside: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as it would leave for one real case. `trouble` says what could not be filled."""

    subject: str
    body: str
    size: Size | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What keeps a text from being sent: `faults` in words, `marked` with each tone finding."""

    faults: Sequence[str]
    findings: Sequence[Finding]
    marked: Markup


def check(template: Template, cause: Cause | None) -> Checked:
    """Everything wrong with a text at once."""
    faults = [fault.message for fault in faults_of(template)]
    faults += [
        f"{{{{{name}}}}}: cannot be filled when this text is sent."
        for name in sorted(missing_for(template, cause))
        if name in PLACES
    ]
    findings = [*tone_findings(template.subject), *tone_findings(template.body)]
    return Checked(faults, findings, mark(template.body, tone_findings(template.body)))


def mark(text: str, findings: Sequence[Finding]) -> Markup:
    """The text with every finding marked. Findings may overlap: the later starts where one ends."""
    parts: list[Markup] = []
    at = 0
    for finding in findings:
        start, end = max(finding.start, at), finding.end
        if end <= start:
            continue
        parts.append(escape(text[at:start]))
        parts.append(Markup("<mark>{}</mark>").format(text[start:end]))
        at = end
    parts.append(escape(text[at:]))
    return Markup("").join(parts)


def show(template: Template, values: Mapping[str, str]) -> Shown:
    """Fill a text in, as it would leave."""
    try:
        made = render(template, values)
    except Invalid as error:
        return Shown("", "", None, error.message)
    return Shown(made.subject, made.body, size_of(template.channel, made.body))


def size_of(channel: Channel, body: str) -> Size:
    """What a network or a mailbox counts."""
    if channel is not Channel.SMS:
        return Size(f"{len(body)} letters, {len(body.encode())} bytes")
    found = measure(body)
    texts = "1 text message" if found.segments == 1 else f"{found.segments} text messages"
    outside = " ".join(found.outside[:12])
    return Size(f"{texts}: {found.units} units", _ENCODINGS[found.encoding], outside)


def compare(old: str, new: str) -> Markup:
    """The change as marked text. Old words are struck and new ones underlined, with signs."""
    shapes = {
        Change.KEPT: Markup("{}"),
        Change.OLD: Markup('<del><span class="unseen">taken out: </span>{}</del>'),
        Change.NEW: Markup('<ins><span class="unseen">put in: </span>{}</ins>'),
    }
    return Markup("").join(shapes[one.change].format(one.text) for one in word_diff(old, new))


def places_for(cause: Cause | None) -> list[tuple[str, str]]:
    """The places a writer may use, with what stands in them."""
    known = given_for(cause)
    return [(name, meaning) for name, meaning in PLACES.items() if name in known]


def longest(channel: Channel) -> int:
    """Letters a text may have before it is filled in."""
    return LONGEST_BODY[channel]
