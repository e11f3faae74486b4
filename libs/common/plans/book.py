"""All published plan versions of one folder, found by name, by hash and by day."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from libs.common.errors import NotFound, NotHereYet
from libs.common.plans.values import Plan


class UnknownPlan(NotFound):
    code = "unknown-plan"
    title = "There is no such plan version"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBook:
    """`versions` holds, for each plan id, its versions from the first to the newest."""

    versions: Mapping[str, tuple[Plan, ...]]

    def __iter__(self) -> Iterator[Plan]:
        for plans in self.versions.values():
            yield from plans

    def get(self, plan: str, version: int) -> Plan:
        """That version; UnknownPlan where there is none."""
        for candidate in self.versions.get(plan, ()):
            if candidate.version == version:
                return candidate
        known = ", ".join(one.name for one in self) or "none"
        raise UnknownPlan(f"No plan {plan!r} version {version}; there are: {known}.")

    def newest(self, plan: str) -> Plan:
        """The highest version, on sale or not; UnknownPlan where the id is not known."""
        if plan not in self.versions:
            known = ", ".join(self.versions) or "none"
            raise UnknownPlan(f"No plan {plan!r}; there are: {known}.")
        return self.versions[plan][-1]

    def by_sha256(self, sha256: str) -> Plan | None:
        """The plan whose document has that hash (hex); None where this folder has no such one."""
        return next((plan for plan in self if plan.sha256 == sha256), None)

    def pinned(self, sha256: str) -> Plan:
        """The version a policy is pinned to (G-11); NotHereYet until its file is published here."""
        plan = self.by_sha256(sha256)
        if plan is None:
            raise NotHereYet(
                f"The plan file with SHA-256 {sha256} is not among those published here."
            )
        return plan

    def current(self, plan: str, on: date) -> Plan | None:
        """The version sold on that local day: it ends where the next begins, or at valid_to."""
        begun = [one for one in self.versions.get(plan, ()) if one.valid_from <= on]
        if not begun or (begun[-1].valid_to is not None and begun[-1].valid_to < on):
            return None
        return begun[-1]
