"""What an import did, or would do: counts, refusals, and what an administrator has to know."""

from collections.abc import Mapping
from dataclasses import dataclass

from lib.operations.imports.refusals import Refusal
from lib.store.membership_queries import MemberTokens, RoleLeft


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file. Counts are rows of the file; of many refusals the first are listed.

    `sources` says what a field is read from, where that is no column of its own name.
    """

    added: int
    updated: int
    unchanged: int
    refused: int
    refusals: tuple[Refusal, ...]
    ignored: tuple[str, ...]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Missing:
    """The active members that no line of the users file names, in the organizations it names.

    `listed` is empty unless a list was asked for. `to_deactivate` is the number that is to be made
    inactive, None for nobody; `emptied` are the organizations that would lose all members by it.
    """

    members: int = 0
    working_tokens: int = 0
    organizations: int = 0
    listed: tuple[MemberTokens, ...] = ()
    to_deactivate: int | None = None
    emptied: tuple[str, ...] = ()

    @property
    def deactivated(self) -> int:
        """Return how many members are made inactive."""
        return 0 if self.to_deactivate is None or self.refused else self.members

    @property
    def refused(self) -> bool:
        """Tell whether the missing cannot be made inactive as was asked."""
        if self.to_deactivate is None:
            return False
        return self.to_deactivate != self.members or bool(self.emptied)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all files, by name.

    `accepted` is False when refused rows or a refused number of missing held all back; the counts
    then are what would have been done. A dry run writes nothing even so.

    `elsewhere` are people whom the import adds to an organization, and who stay active in one that
    the users file does not name. `roles_left` are roles of people without an active membership.
    `work_again` is how many tokens work again because a user, an organization or a subscription
    is active again; None when that is not known since nothing was accepted. `same_person` has those
    whom only this option kept from being taken for somebody else; `signed_out` the username of each
    sign-in that ended because somebody else got the username.
    """

    files: Mapping[str, FileReport]
    accepted: bool
    dry_run: bool
    missing: Missing
    elsewhere: tuple[MemberTokens, ...] = ()
    roles_left: tuple[RoleLeft, ...] = ()
    work_again: int | None = None
    same_person: tuple[str, ...] = ()
    signed_out: tuple[str, ...] = ()

    @property
    def written(self) -> bool:
        """Tell whether the database has changed."""
        return self.accepted and not self.dry_run

    @property
    def all_taken(self) -> bool:
        """Tell whether nothing was refused."""
        return not self.missing.refused and not any(f.refused for f in self.files.values())
