"""What the files of a report are called."""

from __future__ import annotations

from dataclasses import replace

from elfaudit.report.naming import Naming, naming_of

from .builders import row


def test_members_of_one_archive_are_called_by_their_path_in_it() -> None:
    naming = naming_of([row("w.whl::a/b.so"), row("w.whl::c.so")])
    assert naming.name("w.whl::a/b.so") == "a/b.so"
    assert naming.place == "w.whl"
    assert naming_of([row("w.whl::a/b.so")]).place == ""


def test_members_of_two_archives_keep_their_names() -> None:
    assert naming_of([row("w.whl::a.so"), row("v.whl::a.so")]) == Naming()
    assert naming_of([row("w.whl::a.so"), row("/lib/a.so")]) == Naming()


def test_files_given_by_a_relative_path_are_called_so() -> None:
    rows = [row("/srv/b/a.so", subject="b/a.so"), row("/srv/c/a.so", subject="c/a.so")]
    naming = naming_of(rows)
    assert naming.name("/srv/b/a.so") == "b/a.so"
    assert naming.text("/srv/b/a.so: no, /mnt/srv/b/a.so") == "b/a.so: no, /mnt/srv/b/a.so"
    assert naming.place == ""


def test_files_of_this_machine_that_are_laid_over_a_root_are_called_so_too() -> None:
    over = replace(row("b/a.so", subject="b/a.so"), path="(this machine)::/srv/b/a.so")
    assert naming_of([over]).text("/srv/b/a.so: no") == "b/a.so: no"


def test_files_of_one_directory_are_called_by_what_differs() -> None:
    naming = naming_of([row("/srv/b/a.so"), row("/srv/c/a.so")])
    assert (naming.name("/srv/b/a.so"), naming.place) == ("b/a.so", "/srv")
    assert naming.name("/opt/x.so") == "/opt/x.so"


def test_a_single_file_or_files_from_everywhere_keep_their_names() -> None:
    assert naming_of([row("/srv/b/a.so")]) == Naming()
    assert naming_of([row("/srv/a.so"), row("/opt/a.so")]) == Naming()
    assert naming_of([row("/a.so", subject="a.so")]) == Naming()
    assert naming_of([row("relative.so"), row("other.so")]) == Naming()
    assert Naming().text("/srv/a.so") == "/srv/a.so"
