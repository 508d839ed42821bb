"""A strategy as data: its stages by days past due, its notices, its calls, and how it ends.

Day 0 is the day a debt falls due; day 3 is three days later, day -3 three days before. All days
count from the date of the oldest instalment that is due and unpaid, never from when a job ran.
What a strategy does about one case today is decided in `app/domain/stage_plan.py`; what is wrong
with one, beyond its form, is found in `app/domain/stage_checks.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from app.domain.contact_policy import ContactPurpose
from app.domain.errors import Invalid
from app.domain.message import Channel
from app.domain.strategy import SignalsAct

LONGEST_DAY: Final = 730
EARLIEST_DAY: Final = -60
MOST_STAGES: Final = 20
MOST_NOTICES: Final = 40
MOST_ATTEMPTS: Final = 30
MOST_PARTS: Final = 12
# A notice is written; a call is made by a person, from a task.
WRITTEN: Final = (Channel.SMS, Channel.EMAIL, Channel.PUSH)

Word = TypeVar("Word", bound=StrEnum)


class EndAct(StrEnum):
    """What follows when the last stage brought nothing. None of them moves money by itself."""

    PROPOSE_WRITE_OFF = "propose_write_off"
    PROPOSE_PLACEMENT = "propose_placement"
    HAND_TO_PERSON = "hand_to_person"


@dataclass(frozen=True, slots=True)
class Notice:
    """One message on one day. A required notice is one that the law demands.

    It keeps hours, holds and the stop switch, but neither caps nor an opt-out.
    """

    day: int
    channel: Channel
    template: str
    purpose: ContactPurpose = ContactPurpose.COLLECTION

    @property
    def slot(self) -> str:
        """What makes it the same notice in another version: its day and its channel."""
        return f"{self.day}/{self.channel.value}"


@dataclass(frozen=True, slots=True)
class Calls:
    """Call the borrower, until `attempts` of them counted.

    The next task comes `gap_days` local days after the day of an attempt, moved on to a working
    day where `working_days_only`. A task nobody worked is no attempt.
    """

    attempts: int
    gap_days: int = 1
    working_days_only: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """What is done from `from_day` on, until the next stage begins."""

    name: str
    from_day: int
    notices: tuple[Notice, ...] = ()
    calls: Calls | None = None


@dataclass(frozen=True, slots=True)
class PromiseTerms:
    """Which promises are taken without asking further, and when one counts as kept.

    A promise is kept when at least what was promised, less the larger of the two tolerances, came
    by its day and `grace_days`. `tolerance_minor` is in minor units of the loan's currency.
    """

    max_days_ahead: int = 30
    max_parts: int = 3
    grace_days: int = 0
    tolerance_basis_points: int = 0
    tolerance_minor: int = 0
    remind_days_before: int = 1
    min_share_basis_points: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The end of the flow, `wait_days` after the last thing that was tried.

    When nothing waits for anybody after that, a person looks again every `review_every_days`.
    """

    do: EndAct
    wait_days: int = 1
    review_every_days: int = 30


@dataclass(frozen=True, slots=True)
class StrategyBody:
    """One version of a strategy. `signals_act=None` leaves it to the lender's own setting."""

    name: str
    stages: tuple[Stage, ...]
    remind: tuple[Notice, ...] = ()
    promise: PromiseTerms = PromiseTerms()
    end: End | None = None
    signals_act: SignalsAct | None = None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Every message of all stages and the reminders before, in the order of their days."""
        listed = (*self.remind, *(notice for stage in self.stages for notice in stage.notices))
        return tuple(sorted(listed, key=lambda one: (one.day, one.channel)))

    def stage_on(self, day: int) -> Stage | None:
        """The stage on a day past due; None before the first one begins."""
        begun = [stage for stage in self.stages if stage.from_day <= day]
        return max(begun, key=lambda stage: stage.from_day, default=None)


# ------------------------------------------------------------------ reading and writing


def parse_body(fields: Mapping[str, Any]) -> StrategyBody:
    """Read a body from TOML or JSON, checked to the last field.

    Raises `Invalid` naming the field, such as `stages[1].notices[0].day`. A body that parses may
    still make no sense: see `app/domain/stage_checks.py`.
    """
    table = _Table("", fields)
    table.only("name", "signals_act", "remind", "stages", "promise", "end")
    stages = tuple(_stage(one) for one in table.tables("stages", MOST_STAGES))
    body = StrategyBody(
        name=table.text("name"),
        stages=stages,
        remind=tuple(
            _notice(one, EARLIEST_DAY, -1) for one in table.tables("remind", MOST_NOTICES)
        ),
        promise=_promise(table.table("promise")),
        end=_end(table),
        signals_act=table.word("signals_act", SignalsAct, None),
    )
    if len(body.notices) > MOST_NOTICES:
        raise Invalid(
            "stages", f"have more than {MOST_NOTICES} notices together.", mend="Take some out."
        )
    return body


def body_notes(body: StrategyBody) -> dict[str, Any]:
    """The body as plain JSON; `parse_body` reads it back to an equal one."""
    notes: dict[str, Any] = {
        "name": body.name,
        "remind": [asdict(notice) for notice in body.remind],
        "stages": [],
        "promise": asdict(body.promise),
    }
    for stage in body.stages:
        one = asdict(stage)
        one["notices"] = [asdict(notice) for notice in stage.notices]
        if stage.calls is None:
            del one["calls"]
        notes["stages"].append(one)
    if body.end is not None:
        notes["end"] = asdict(body.end)
    if body.signals_act is not None:
        notes["signals_act"] = body.signals_act.value
    plain: dict[str, Any] = _plain(notes)
    return plain


def _plain(value: Any) -> Any:
    """Words of enums as bare text."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, StrEnum) else value


def _stage(table: _Table) -> Stage:
    table.only("name", "from_day", "notices", "calls")
    calls = table.table("calls")
    return Stage(
        name=table.text("name"),
        from_day=table.whole("from_day", 0, LONGEST_DAY),
        notices=tuple(
            _notice(one, 0, LONGEST_DAY) for one in table.tables("notices", MOST_NOTICES)
        ),
        calls=None if calls is None else _calls(calls),
    )


def _notice(table: _Table, first: int, last: int) -> Notice:
    table.only("day", "channel", "template", "purpose")
    channel = table.word("channel", Channel)
    if channel not in WRITTEN:
        known = ", ".join(one.value for one in WRITTEN)
        raise Invalid(table.at("channel"), "cannot carry a message.", mend=f"Use {known}.")
    purpose = table.word("purpose", ContactPurpose, ContactPurpose.COLLECTION)
    if purpose is ContactPurpose.ANSWER:
        mend = "Use collection or required_notice."
        raise Invalid(table.at("purpose"), "answers a question that nobody asked.", mend=mend)
    return Notice(
        day=table.whole("day", first, last),
        channel=channel,
        template=table.text("template"),
        purpose=purpose,
    )


def _calls(table: _Table) -> Calls:
    table.only("attempts", "gap_days", "working_days_only")
    return Calls(
        attempts=table.whole("attempts", 1, MOST_ATTEMPTS),
        gap_days=table.whole("gap_days", 1, 60, 1),
        working_days_only=table.yes_no("working_days_only", default=True),
    )


def _promise(table: _Table | None) -> PromiseTerms:
    usual = PromiseTerms()
    if table is None:
        return usual
    table.only(*asdict(usual))
    most = {
        "max_days_ahead": 365,
        "max_parts": MOST_PARTS,
        "grace_days": 30,
        "tolerance_basis_points": 10_000,
        "tolerance_minor": 10**9,
        "remind_days_before": 30,
        "min_share_basis_points": 10_000,
    }
    least = {"max_days_ahead": 1, "max_parts": 1}
    return PromiseTerms(
        **{
            name: table.whole(name, least.get(name, 0), most[name], getattr(usual, name))
            for name in most
        }
    )


def _end(table: _Table) -> End | None:
    end = table.table("end")
    if end is None:
        return None
    end.only("do", "wait_days", "review_every_days")
    return End(
        do=end.word("do", EndAct),
        wait_days=end.whole("wait_days", 0, 365, 1),
        review_every_days=end.whole("review_every_days", 1, 365, 30),
    )


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of the source, with the words to name its fields in an error."""

    where: str
    fields: Mapping[str, Any]

    def at(self, field: str) -> str:
        """The field's full name."""
        return f"{self.where}.{field}" if self.where else field

    def only(self, *known: str) -> None:
        """Refuse fields that nobody reads: mostly they are typing errors."""
        unknown = sorted(str(name) for name in set(self.fields) - set(known))
        if unknown:
            mend = f"Known here: {', '.join(known)}."
            raise Invalid(self.at(unknown[0]), "is not a field of a strategy.", mend=mend)

    def text(self, field: str) -> str:
        """A short printable text."""
        value = self.fields.get(field)
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise Invalid(
                self.at(field), "is missing or is not a text.", mend="Write it in quotes."
            )
        if len(value) > 60:
            raise Invalid(self.at(field), "has more than 60 characters.", mend="Shorten it.")
        return value.strip()

    def whole(self, field: str, low: int, high: int, usual: int | None = None) -> int:
        """A whole number within bounds; `usual` where it is not given."""
        value = self.fields.get(field, usual)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise Invalid(self.at(field), f"is a whole number from {low} to {high}.")
        return value

    def yes_no(self, field: str, *, default: bool) -> bool:
        """True or false."""
        value = self.fields.get(field, default)
        if not isinstance(value, bool):
            raise Invalid(self.at(field), "is true or false.", mend="Write it without quotes.")
        return value

    def word(self, field: str, words: type[Word], *usual: Any) -> Any:
        """One word of a list; `usual` where it is not given."""
        value = self.fields.get(field)
        if value is None and usual:
            return usual[0]
        found = next((one for one in words if one.value == value), None)
        if found is None:
            known = ", ".join(one.value for one in words)
            raise Invalid(self.at(field), "is not known.", mend=f"Use {known}.")
        return found

    def table(self, field: str) -> _Table | None:
        """A table in this one; None where it is not given."""
        value = self.fields.get(field)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise Invalid(self.at(field), "is not a table.", mend="Write its fields by name.")
        return _Table(self.at(field), value)

    def tables(self, field: str, most: int) -> Sequence[_Table]:
        """A list of tables, possibly empty."""
        values = self.fields.get(field, [])
        if not isinstance(values, list) or not all(isinstance(one, Mapping) for one in values):
            raise Invalid(
                self.at(field),
                "is not a list of tables.",
                mend="Write each entry as a table of its own.",
            )
        if len(values) > most:
            raise Invalid(self.at(field), f"has more than {most} entries.", mend="Take some out.")
        return [_Table(f"{self.at(field)}[{at}]", one) for at, one in enumerate(values)]
