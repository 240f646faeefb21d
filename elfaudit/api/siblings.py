"""Libraries that only other files of the same wheel or directory load, judged in their process.

A plugin's helper may count on what the plugin has loaded before it. Alone it fails, but nobody ever
loads it alone: what becomes of it in the processes that do load it is the answer.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace

from ..elf import ElfObject
from ..errors import ElfAuditError
from ..findings import Finding, Resolution, Verdict
from ..findings.loads_with_siblings import loads_with_siblings
from ..loader.python import is_extension_name
from .session import Session
from .subject import Subject

__all__ = ["Siblings"]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is kept of a process that loads siblings: not its symbols.

    Attributes:
        subject: its file.
        identities: the files in it; none if it does not load.
        findings: everything found in it.
    """

    subject: str
    label: str
    identities: frozenset[Hashable]
    findings: tuple[Finding, ...]


class Siblings:
    """The files of a session by what they list.

    Args:
        session: the files.
        resolve: resolves one of them, by itself.
    """

    def __init__(self, session: Session, resolve: Callable[[Subject], Resolution]) -> None:
        self._session = session
        self._resolve = resolve
        self._users: dict[str, dict[str, list[Subject]]] | None = None
        self._outcomes: dict[str, _Outcome] = {}

    def judged(self, subject: Subject, alone: Resolution) -> Resolution:
        """The resolution of a file, in the process of those that load it where they all do so well.

        Args:
            subject: the file.
            alone: what becomes of it by itself; returned as it is if nobody lists the file, if it
                loads, or if it does not load with one of those that list it either.
        """
        elf = alone.link_map.subject.elf
        if subject.listed or alone.verdict is Verdict.LOADS or elf is None:
            return alone
        if _is_asked_for(subject, elf):
            return alone
        users = self._roots(subject, elf)
        together = [self._outcome(user) for user in users]
        everywhere = all(subject.member.identity in each.identities for each in together)
        return self._within(subject, alone, users[0], together) if users and everywhere else alone

    def _roots(self, subject: Subject, elf: ElfObject) -> list[Subject]:
        """The files that, through any number of others, list one, and that no other file lists."""
        users = self._users_of(subject.container)
        seen: dict[str, Subject] = {}
        names = [_names(subject, elf)]
        while names:
            for user in [u for name in names.pop() for u in users.get(name, ())]:
                if user.name not in seen and user.name != subject.name:
                    seen[user.name] = user
                    names.append(_names(user, self._session.store.read(user.member)))
        return [user for user in seen.values() if self._is_root(user, users)]

    def _is_root(self, user: Subject, users: dict[str, list[Subject]]) -> bool:
        elf = self._session.store.read(user.member)
        return _is_asked_for(user, elf) or not any(users.get(name) for name in _names(user, elf))

    def _users_of(self, container: str) -> dict[str, list[Subject]]:
        """NEEDED name to the files of one container that list it."""
        if self._users is None:  # all at once: to go through the files means to find each again
            self._users = defaultdict(lambda: defaultdict(list))
            for subject in self._session.subjects():
                if not subject.listed:
                    for name in self._needed(subject):
                        self._users[subject.container][name].append(subject)
        return self._users[container]

    def _needed(self, subject: Subject) -> Iterator[str]:
        try:
            elf = self._session.store.read(subject.member)
        except ElfAuditError:
            return
        yield from map(posixpath.basename, elf.needed)

    def _outcome(self, user: Subject) -> _Outcome:
        if user.name not in self._outcomes:
            try:
                result = self._resolve(user)
            except ElfAuditError:
                self._outcomes[user.name] = _Outcome(user.name, user.name, frozenset(), ())
            else:
                loads = result.verdict is Verdict.LOADS
                entries = result.link_map.entries if loads else ()
                self._outcomes[user.name] = _Outcome(
                    result.subject,
                    result.link_map.subject.label,
                    frozenset(entry.identity for entry in entries),
                    result.findings,
                )
        return self._outcomes[user.name]

    def _within(
        self, subject: Subject, alone: Resolution, user: Subject, together: list[_Outcome]
    ) -> Resolution:
        """The answer for a file that loads with all that list it: in the first's process."""
        process = self._resolve(user)
        entries = process.link_map.entries
        entry = next(entry for entry in entries if entry.identity == subject.member.identity)
        note = loads_with_siblings(alone, [outcome.label for outcome in together])
        seen = [f for outcome in together for f in outcome.findings if f.location == subject.name]
        return replace(
            process,
            subject=alone.subject,
            verdict=Verdict.LOADS,
            error=None,
            link_map=replace(process.link_map, subject=entry),
            findings=(note, *dict.fromkeys(seen)),
            within=tuple(outcome.subject for outcome in together),
        )


def _is_asked_for(subject: Subject, elf: ElfObject) -> bool:
    """Whether a file is run, or imported by name: by whoever likes, listed by others or not."""
    return elf.is_program or is_extension_name(subject.member.path)


def _names(subject: Subject, elf: ElfObject) -> set[str]:
    """What a file can be listed as."""
    return {posixpath.basename(subject.member.path)} | ({elf.soname} if elf.soname else set())
