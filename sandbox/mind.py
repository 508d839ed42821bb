"""What people have in mind about the texts they got: which robot acts, on what, and when.

One plan per text, kept, so that a robot that was killed in the middle takes the same plan up
again. A person in a browser who opens a phone takes it out of the robot's hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sandbox.chance import Chance
from sandbox.moods import ConsentMood, Reaction
from sandbox.records import Sms
from sandbox.texts import Texts
from sandbox.town import Town


@dataclass(slots=True)
class Plan:
    """What one person does about one text, at `due_at` of business time."""

    sid: str
    person_id: str
    reaction: Reaction
    due_at: datetime
    done: bool = False
    outcome: str = ""
    tries: int = 0


@dataclass(slots=True)
class Errand:
    """A consent link that a person was sent, and how far its robot got with it."""

    key: str
    person_id: str
    link: str
    due_at: datetime
    done: bool = False
    outcome: str = ""
    tries: int = 0


@dataclass(slots=True)
class Revocation:
    """A person who takes his consent back at the bank, at `due_at`."""

    person_id: str
    due_at: datetime
    done: bool = False


class Mind:
    """Plans of all people, in memory and in the store."""

    def __init__(self, town: Town, texts: Texts) -> None:
        self._town = town
        self._texts = texts
        self._plans = {plan.sid: plan for plan in town.store.all_of("plan", Plan)}
        self._errands = {e.key: e for e in town.store.all_of("errand", Errand)}
        self._revocations = {r.person_id: r for r in town.store.all_of("revocation", Revocation)}
        self._looked: set[str] = set(self._plans)

    # ------------------------------------------------------------ hands and robots

    def taken_by_hand(self, person_id: str) -> None:
        """Somebody opened this phone: its robot rests until it is given back."""
        self._rest(person_id, paused=True)

    def given_back(self, person_id: str) -> None:
        self._rest(person_id, paused=False)

    def _rest(self, person_id: str, *, paused: bool) -> None:
        settings = self._town.settings(person_id)
        if settings.paused is not paused:
            settings.paused = paused
            self._town.save_settings(settings)

    def waits_for_hand(self, person_id: str, sms: Sms, number: int) -> bool:
        """Whether no robot will do anything about a text: somebody may take the phone."""
        if self._town.settings(person_id).paused:
            return True
        plan = self._plans.get(sms.sid)
        if plan is not None:
            return plan.reaction is Reaction.IGNORES
        return self._town.mood(person_id).reaction_to(number) is Reaction.IGNORES

    # ------------------------------------------------------------ texts

    def notice(self, now: datetime) -> None:
        """Make a plan for every text that has arrived on a person's phone."""
        counted: dict[str, int] = {}
        for sms in self._texts.all():
            if sms.inbound:
                continue
            person = self._town.by_phone(sms.to)
            if person is None:
                continue
            counted[person.id] = counted.get(person.id, 0) + 1
            if sms.sid in self._looked or self._texts.status(sms, now) != "delivered":
                continue
            mood = self._town.mood(person.id)
            chance = Chance(self._town.begin.seed, ("delay", person.id))
            spread = chance.between(50, 150, counted[person.id])
            plan = Plan(
                sid=sms.sid,
                person_id=person.id,
                reaction=mood.reaction_to(counted[person.id]),
                due_at=(sms.ends_at or now) + timedelta(minutes=mood.delay_minutes * spread / 100),
            )
            self._keep(plan)
            self._looked.add(sms.sid)

    def due_plans(self, now: datetime) -> list[Plan]:
        """Plans whose time has come and whose robot does not rest, oldest first."""
        due = [
            plan
            for plan in self._plans.values()
            if not plan.done
            and plan.due_at <= now
            and not self._town.settings(plan.person_id).paused
        ]
        return sorted(due, key=lambda plan: plan.due_at)

    def _keep(self, plan: Plan) -> None:
        self._town.store.put("plan", plan.sid, plan)
        self._plans[plan.sid] = plan

    def acted(self, plan: Plan, outcome: str, *, again_at: datetime | None = None) -> None:
        """Note what came of a plan; with `again_at` it is tried again then."""
        plan.outcome, plan.tries = outcome, plan.tries + 1
        if again_at is None:
            plan.done = True
        else:
            plan.due_at = again_at
        self._keep(plan)

    # ------------------------------------------------------------ consent links

    def send_to_consent(self, key: str, person_id: str, link: str, now: datetime) -> None:
        """Give a person a consent link, once per `key`."""
        if key not in self._errands:
            self._keep_errand(Errand(key, person_id, link, now))

    def still_walking(self, key: str) -> bool:
        """Whether a consent link that was given out is not yet answered."""
        errand = self._errands.get(key)
        return errand is not None and not errand.done

    def due_errands(self, now: datetime) -> list[Errand]:
        due = [
            e
            for e in self._errands.values()
            if not e.done and e.due_at <= now and not self._town.settings(e.person_id).paused
        ]
        return sorted(due, key=lambda e: (e.due_at, e.key))

    def _keep_errand(self, errand: Errand) -> None:
        self._town.store.put("errand", errand.key, errand)
        self._errands[errand.key] = errand

    def walked(self, errand: Errand, outcome: str, *, again_at: datetime | None = None) -> None:
        """Note what came of a consent link. Somebody who gives it and will take it back later
        gets his day for that.
        """
        errand.outcome, errand.tries = outcome, errand.tries + 1
        if again_at is None:
            errand.done = True
        else:
            errand.due_at = again_at
        mood = self._town.mood(errand.person_id)
        with self._town.store.together():
            self._keep_errand(errand)
            if errand.done and mood.consent is ConsentMood.REVOKES_LATER:
                due = self._town.now() + timedelta(days=mood.revokes_after_days)
                if errand.person_id not in self._revocations:
                    self._keep_revocation(Revocation(errand.person_id, due))

    # ------------------------------------------------------------ revocations

    def due_revocations(self, now: datetime) -> list[Revocation]:
        return [
            r
            for r in self._revocations.values()
            if not r.done and r.due_at <= now and not self._town.settings(r.person_id).paused
        ]

    def _keep_revocation(self, revocation: Revocation) -> None:
        self._town.store.put("revocation", revocation.person_id, revocation)
        self._revocations[revocation.person_id] = revocation

    def revoked(self, revocation: Revocation) -> None:
        revocation.done = True
        self._keep_revocation(revocation)

    def outcomes(self) -> dict[str, int]:
        """How often each outcome of a plan or an errand was seen, for the control page."""
        seen: dict[str, int] = {}
        outcomes = [plan.outcome for plan in self._plans.values()]
        outcomes += [errand.outcome for errand in self._errands.values()]
        for outcome in outcomes:
            if outcome:
                seen[outcome] = seen.get(outcome, 0) + 1
        return dict(sorted(seen.items()))
