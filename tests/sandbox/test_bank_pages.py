"""The banks' pages as a person meets them: login, consent, payment, taking a permission back."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from sandbox.modes import BankMode
from sandbox.people import Person
from sandbox.walker import Page, Walker
from sandbox.world import World
from tests.sandbox.rig import Town

pytestmark = pytest.mark.anyio


class Elsewhere(httpx.AsyncBaseTransport):
    """The bank in-process; every other host answers with its own name."""

    def __init__(self, town: Town) -> None:
        self._bank = town.http._transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "sandbox.test":
            return await self._bank.handle_async_request(request)
        return httpx.Response(200, text=f"back at {request.url}", request=request)


def walker(town: Town) -> Walker:
    return Walker(Elsewhere(town), {"sandbox.test", "saldo.test"})


async def signed_in(walk: Walker, page: Page, person: Person) -> Page:
    form = page.form("bank-login")
    assert form is not None
    return await walk.submit(form, {"code": person.code})


async def test_a_consent_is_given_for_the_chosen_account_alone(town: Town) -> None:
    ana = town.world.add_person("Ana", second=True)
    consent_id = await town.consent(ana, allow=False)
    walk = walker(town)
    page = await signed_in(walk, await walk.open(town.online(ana, "consents", consent_id)), ana)
    form = page.form("bank-consent")
    assert form is not None
    assert form.values("account") == [plan.iban for plan in ana.accounts]
    end = await walk.submit(form, {"account": ana.accounts[1].iban}, ("decision", "yes"))
    assert end.url == "http://saldo.test/back"
    listed = (await town.accounts(ana, consent_id)).json()["accounts"]
    assert [one["iban"] for one in listed] == [ana.accounts[1].iban]


async def test_a_consent_is_refused(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana, allow=False)
    walk = walker(town)
    link = town.online(ana, "consents", consent_id)
    page = await signed_in(walk, await walk.open(link), ana)
    form = page.form("bank-consent")
    assert form is not None
    end = await walk.submit(form, {}, ("decision", "no"))
    assert end.url == "http://saldo.test/no"
    again = await walk.open(link)
    assert again.form("bank-consent") is None
    assert again.links["bank-return"] == "http://saldo.test/no"


async def test_no_account_chosen_asks_again(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana, allow=False)
    walk = walker(town)
    page = await signed_in(walk, await walk.open(town.online(ana, "consents", consent_id)), ana)
    form = page.form("bank-consent")
    assert form is not None
    page = await walk.submit(form, {"account": []}, ("decision", "yes"))
    assert page.status == 422
    assert page.form("bank-consent") is not None


async def test_a_wrong_code_does_not_sign_in(town: Town) -> None:
    ana = town.world.add_person("Ana")
    jan = town.world.add_person("Jan", bank_id="wisla")
    consent_id = await town.consent(ana, allow=False)
    walk = walker(town)
    page = await walk.open(town.online(ana, "consents", consent_id))
    for code in ("000000", jan.code, ""):
        form = page.form("bank-login")
        assert form is not None
        page = await walk.submit(form, {"code": code})
        assert page.status == 422


async def test_the_login_names_the_codes_of_phones_in_hands(town: Town) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    jan = town.world.add_person("Jan", bank_id="wisla")
    for person in (ana, jan):
        town.world.mind.taken_by_hand(person.id)
    page = (await town.http.get("/banks/luz/online/login")).text
    assert ana.code in page
    assert eva.code not in page
    assert jan.code not in page


async def test_a_forged_session_is_nobody(town: Town) -> None:
    ana = town.world.add_person("Ana")
    for cookie in (ana.id, f"{ana.id}.", f"{ana.id}.0000", ""):
        answer = await town.http.get("/banks/luz/online/", headers={"cookie": f"bank_luz={cookie}"})
        assert "Signed in as" not in answer.text


async def test_a_payment_is_authorised_and_the_account_was_known(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    made = await town.payment(ana)
    walk = walker(town)
    page = await walk.open(town.online(ana, "payments", made.json()["paymentId"]))
    login = page.form("bank-login")
    assert login is not None
    assert login.values("code") == [ana.code]
    page = await walk.submit(login)
    form = page.form("bank-payment")
    assert form is not None
    end = await walk.submit(form, {}, ("decision", "yes"))
    assert end.url == "http://saldo.test/back"
    assert town.world.town.balance(ana.iban) == 37_950
    repeated = await walk.submit(form, {}, ("decision", "yes"))
    assert repeated.form("bank-payment") is None
    assert town.world.town.balance(ana.iban) == 37_950


async def test_another_customer_in_the_same_browser_is_asked_to_sign_in(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=50_000)
    eva = town.world.add_person("Eva", opening_minor=50_000)
    walk = walker(town)
    for person in (ana, eva):
        made = await town.payment(person, reference=f"R-{person.id}")
        page = await walk.open(town.online(person, "payments", made.json()["paymentId"]))
        page = await signed_in(walk, page, person)
        form = page.form("bank-payment")
        assert form is not None
        await walk.submit(form, {}, ("decision", "yes"))
    assert town.world.town.balance(eva.iban) == 37_950


async def test_too_little_money_is_said_and_leads_back(town: Town) -> None:
    ana = town.world.add_person("Ana", opening_minor=1_00)
    made = await town.payment(ana)
    walk = walker(town)
    link = town.online(ana, "payments", made.json()["paymentId"])
    page = await signed_in(walk, await walk.open(link), ana)
    form = page.form("bank-payment")
    assert form is not None
    page = await walk.submit(form, {}, ("decision", "yes"))
    assert page.status == 409
    assert page.links["bank-return"] == "http://saldo.test/no"


async def test_a_permission_is_taken_back_on_its_page(town: Town) -> None:
    ana = town.world.add_person("Ana")
    consent_id = await town.consent(ana)
    walk = walker(town)
    page = await signed_in(
        walk, await walk.open("http://sandbox.test/banks/luz/online/permissions"), ana
    )
    form = page.form("bank-revoke")
    assert form is not None
    page = await walk.submit(form)
    assert page.form("bank-revoke") is None
    assert (await town.balances(ana, consent_id)).status_code == 401


async def test_somebody_else_cannot_take_it_back(town: Town) -> None:
    ana, eva = (town.world.add_person(name) for name in ("Ana", "Eva"))
    consent_id = await town.consent(ana)
    walk = walker(town)
    page = await signed_in(
        walk, await walk.open("http://sandbox.test/banks/luz/online/permissions"), eva
    )
    assert page.form("bank-revoke") is None
    cookie = walk._http.cookies["bank_luz"]
    answer = await town.http.post(
        f"/banks/luz/online/permissions/{consent_id}", headers={"cookie": f"bank_luz={cookie}"}
    )
    assert answer.status_code == 404
    assert (await town.balances(ana, consent_id)).status_code == 200


async def test_the_login_leads_nowhere_else(town: Town) -> None:
    ana = town.world.add_person("Ana")
    for onward in (
        "https://evil.example/",
        "//evil.example",
        "/banks/foerde/online/",
        "/phones",
        "/banks/luz/online/login",
    ):
        answer = await town.http.post(
            "/banks/luz/online/login", data={"code": ana.code, "next": onward}
        )
        assert answer.headers["location"] == "/banks/luz/online/"


async def test_pages_are_strict_and_escape_what_they_show(town: Town) -> None:
    ana = town.world.add_person("<b>Ana</b>", opening_minor=50_000)
    made = await town.payment(ana, reference="<i>x</i>")
    walk = walker(town)
    await signed_in(
        walk, await walk.open(town.online(ana, "payments", made.json()["paymentId"])), ana
    )
    cookie = walk._http.cookies["bank_luz"]
    answer = await town.http.get(
        f"/banks/luz/online/payments/{made.json()['paymentId']}",
        headers={"cookie": f"bank_luz={cookie}"},
    )
    assert "<b>Ana" not in answer.text
    assert "<i>x" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "style=" not in answer.text


async def test_a_bank_that_is_down_has_no_pages_either(town: Town) -> None:
    town.world.town.set_bank_mode("luz", BankMode.OUTAGE_503)
    assert (await town.http.get("/banks/luz/online/")).status_code == 503
    assert (await town.http.get("/banks/foerde/online/")).status_code == 200


async def test_a_browser_is_noticed_and_a_robot_is_not(tmp_path: Path) -> None:
    town = Town()
    mark = tmp_path / "presence"
    world = World(now=town.clock.now, presence=mark)
    ana = world.add_person("Ana")
    town.world = world
    town.http = _client(world)
    robot = {"user-agent": "Mozilla/5.0 (saldo-sandbox-robot)"}
    for path in (f"/phones/{ana.id}", "/phones", "/banks/luz/online/"):
        await town.http.get(path, headers=robot)
    assert not mark.exists()
    for path in (f"/phones/{ana.id}", f"/phones/{ana.id}/news", "/phones", "/banks/luz/online/"):
        mark.unlink(missing_ok=True)
        await town.http.get(path)
        assert mark.exists(), path


def _client(world: World) -> httpx.AsyncClient:
    from tests.sandbox.rig import client_of

    return client_of(world)
