"""Tenants: who sells what, and that a sandbox sells what its tenant sells."""

from decimal import Decimal
from pathlib import Path

import pytest

from libs.common.money import Money, money
from libs.common.plans.documents import BrokenDocument
from libs.common.plans.reading import load
from libs.common.plans.tenants import Tenants, check_plans, load_tenants
from libs.common.settings import PROGRAMMES

SHIPPED = PROGRAMMES.parent / "tenants.yaml"


@pytest.fixture(scope="module")
def tenants() -> Tenants:
    return load_tenants(SHIPPED)


def tenant_file(folder: Path, entry: str) -> Path:
    path = folder / "tenants.yaml"
    path.write_text(f"tenants:\n  shop: {entry}\n")
    return path


def test_each_shipped_tenant_sells_its_programme_in_its_currency(tenants: Tenants) -> None:
    book = load(PROGRAMMES)
    check_plans(tenants, book.versions, SHIPPED)

    assert {name: one.plans for name, one in tenants.by_id.items()} == {
        "mypoz": ("mypoz-cargo",),
        "bml": ("bml-shipping",),
        "tks": ("tks-warehouse",),
        "jsx": ("jsx-cargo",),
        "cssbuy": ("cssecure",),
    }
    for tenant in tenants.by_id.values():
        for plan in tenant.plans:
            assert book.newest(plan).currency == tenant.currency
            assert book.newest(plan).tenant == tenant.tenant_id


def test_a_limit_not_given_is_five_hundred(tmp_path: Path) -> None:
    entry = '{name: S, plans: [a], currency: JPY, languages: [ja], four_eyes_above: "9000"}'
    shop = load_tenants(tenant_file(tmp_path, entry)).get("shop")

    assert shop is not None
    assert shop.straight_through_limit == Money(500, "JPY")
    assert shop.four_eyes_above == money(Decimal(9000), "JPY")


def test_an_adjudicator_may_approve_what_needs_no_second_person_unless_it_says_otherwise(
    tmp_path: Path,
) -> None:
    entry = '{name: S, plans: [a], currency: JPY, languages: [ja], four_eyes_above: "9000"'
    for more, limit in (("}", 9000), (', adjudicator_limit: "2500"}', 2500)):
        shop = load_tenants(tenant_file(tmp_path, entry + more)).get("shop")
        assert shop is not None
        assert shop.adjudicator_limit == Money(limit, "JPY")


def test_q47_files_are_kept_two_years_unless_the_tenant_says_otherwise(tmp_path: Path) -> None:
    usual = '{name: S, plans: [a], currency: JPY, languages: [ja], four_eyes_above: "9000"'
    for more, years in (("}", 2), (", evidence_years: 7}", 7)):
        tenants = load_tenants(tenant_file(tmp_path, usual + more))
        kept = [tenants.get(name) for name in ("shop", "sbx-shop-1")]
        assert [None if one is None else one.evidence_years for one in kept] == [years] * 2
    for wrong in ("0", "31", '"2"', "1.5"):
        with pytest.raises(BrokenDocument, match="evidence_years"):
            load_tenants(tenant_file(tmp_path, f"{usual}, evidence_years: {wrong}}}"))


def test_staff_are_written_to_where_the_tenant_says_and_a_sandboxs_too(tmp_path: Path) -> None:
    usual = '{name: S, plans: [a], currency: JPY, languages: [ja], four_eyes_above: "9000"'
    told = load_tenants(tenant_file(tmp_path, usual + ", staff_email: desk@shop.example}"))
    untold = load_tenants(tenant_file(tmp_path, usual + "}"))

    for tenant_id, tenants, email in (
        ("shop", told, "desk@shop.example"),
        ("sbx-shop-1", told, "desk@shop.example"),
        ("shop", untold, None),
    ):
        tenant = tenants.get(tenant_id)
        assert tenant is not None
        assert tenant.staff_email == email


def test_a_sandbox_sells_what_its_tenant_sells_under_its_own_id(tenants: Tenants) -> None:
    sandbox, original = tenants.get("sbx-cssbuy-7f3A_x-1"), tenants.get("cssbuy")

    assert sandbox is not None
    assert original is not None
    assert sandbox.is_sandbox
    assert not original.is_sandbox
    assert (sandbox.tenant_id, sandbox.sells_as) == ("sbx-cssbuy-7f3A_x-1", "cssbuy")
    assert sandbox.plans == original.plans
    assert sandbox.straight_through_limit == original.straight_through_limit


@pytest.mark.parametrize(
    "tenant_id",
    [
        "",
        "nobody",
        "sbx-nobody-1",
        "sbx-cssbuy-",
        "sbx-cssbuy",
        "sbx--1",
        "sbx-cssbuy-a b",
        "CSSBUY",
    ],
)
def test_anybody_else_is_unknown(tenants: Tenants, tenant_id: str) -> None:
    assert tenants.get(tenant_id) is None


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{name: S}", "plans, currency, languages, four_eyes_above are missing"),
        (
            '{name: S, plans: [a], currency: XXX, languages: [en], four_eyes_above: "1"}',
            "'XXX'",
        ),
        (
            '{name: S, plans: [a], currency: USD, languages: [x], four_eyes_above: "1"}',
            "'x' is no",
        ),
        (
            "{name: S, plans: [a], currency: USD, languages: [en], four_eyes_above: 0.5}",
            "quotes",
        ),
        (
            '{name: S, plans: [a], currency: USD, languages: [en], four_eyes_above: "1", '
            'staff_email: "desk@shop, boss@shop"}',
            "no address",
        ),
    ],
)
def test_refuses_a_broken_list_with_the_place(tmp_path: Path, entry: str, reason: str) -> None:
    with pytest.raises(BrokenDocument) as refused:
        load_tenants(tenant_file(tmp_path, entry))

    assert refused.value.detail.startswith("tenants.yaml:2 at tenants.shop")
    assert reason in refused.value.detail


def test_refuses_a_tenant_that_sells_a_plan_nobody_wrote(tmp_path: Path) -> None:
    entry = '{name: S, plans: [cssecur], currency: CNY, languages: [en], four_eyes_above: "1"}'
    path = tenant_file(tmp_path, entry)

    with pytest.raises(BrokenDocument, match="no plan 'cssecur'; did you mean 'cssecure'"):
        check_plans(load_tenants(path), load(PROGRAMMES).versions, path)


def test_refuses_a_tenant_whose_limits_are_in_another_currency_than_its_plan(
    tmp_path: Path,
) -> None:
    entry = '{name: S, plans: [cssecure], currency: USD, languages: [en], four_eyes_above: "1"}'
    path = tenant_file(tmp_path, entry)

    with pytest.raises(BrokenDocument, match="'cssecure' pays in CNY, and the tenant's limits"):
        check_plans(load_tenants(path), load(PROGRAMMES).versions, path)
