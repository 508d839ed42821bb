"""Who has what trouble from the start of a demo: a few in a hundred, drawn once from the seed."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.apps import has_app
from sandbox.chance import Chance
from sandbox.modes import Mode
from sandbox.world import World

# Of a hundred people with the lender's app: on these phones it is shut off.
_SILENT = 20

# Of a thousand people.
_COMMON: tuple[tuple[Mode | None, int], ...] = (
    (Mode.SMS_UNREACHABLE, 20),
    (Mode.SMS_UNKNOWN_HANDSET, 10),
    (Mode.SMS_LANDLINE, 10),
    (Mode.SMS_ANSWER_LOST, 10),
    (Mode.SMS_TOO_MANY, 10),
    (Mode.CALLBACK_TWICE, 10),
    (Mode.CALLBACK_OUT_OF_ORDER, 10),
    (Mode.CALLBACK_NONE, 10),
    (Mode.PAYMENT_REJECTED, 10),
    (Mode.PAYMENT_PENDING_LONG, 10),
    (Mode.PAYMENT_ANSWER_LOST, 10),
    (Mode.AUTHORISATION_STUCK, 5),
    (Mode.REVOKED_MIDWAY, 10),
    (Mode.LIMITED_AT_ONCE, 10),
    (Mode.ONLY_AVAILABLE_WITH_LIMIT, 10),
    (Mode.LIMIT_UNSTATED, 5),
    (Mode.UNKNOWN_TYPES, 5),
    (Mode.FROZEN_OLD_DATE, 5),
    (Mode.EMAIL_BOUNCES, 20),
    (Mode.EMAIL_UNKNOWN, 10),
    (None, 810),
)


@dataclass(slots=True)
class _Dealt:
    """That troubles were dealt out in this world; later starts leave them as they are."""

    people: int


def deal(world: World) -> int:
    """Give some of the drawn people their trouble, once in the life of a world; how many."""
    if world.store.one("world", "troubles", _Dealt) is not None:
        return 0
    dealt = 0
    with world.store.together():
        for person in world.people.values():
            chance = Chance(world.town.begin.seed, ("trouble", person.id))
            mode = chance.weighted(_COMMON, "mode")
            silent = chance.between(1, 100, "app") <= _SILENT
            if mode is None and silent and has_app(person, world.town.begin.seed):
                mode = Mode.APP_SILENT
            if mode is not None:
                world.set_mode(person.id, mode)
                dealt += 1
        world.store.put("world", "troubles", _Dealt(dealt))
    return dealt
