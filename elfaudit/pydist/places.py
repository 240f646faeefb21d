"""Where a statement is: whether its names are the module's, and when it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .surface import Grade

__all__ = ["Place"]

_RANK = {grade: rank for rank, grade in enumerate(Grade)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement is.

    Attributes:
        grade: when an import there is carried out.
        in_module: whether names that it binds are the module's.
        in_function: whether it is below a function.
        conditional: whether it may not run.
        in_loop: whether ``break`` has a loop to leave.
        in_try: whether what is raised may go no further.
        as_script: whether it only runs where the file is run and not imported.
        module_names: in a function or class, what its ``global`` statements give to the module.
    """

    grade: Grade = Grade.PLAIN
    in_module: bool = True
    in_function: bool = False
    conditional: bool = False
    in_loop: bool = False
    in_try: bool = False
    as_script: bool = False
    module_names: set[str] | None = None

    def graded(self, grade: Grade, *, in_loop: bool = False) -> Place:
        """The same below something that makes an import matter less; the least one stays."""
        least = grade if _RANK[grade] > _RANK[self.grade] else self.grade
        return Place(least, self.in_module, self.in_function, conditional=True,
                     in_loop=self.in_loop or in_loop, as_script=self.as_script,
                     module_names=self.module_names)  # fmt: skip

    def tried(self) -> Place:
        """The same where somebody may catch what is raised, and nothing else is different."""
        return replace(self, in_try=True)

    def of_script(self) -> Place:
        """The same below ``if __name__ == "__main__"``: who imports the module gets none of it."""
        return replace(self.graded(Grade.CONDITIONAL), as_script=True)

    def of_class(self) -> Place:
        """The body of a class at this place, which runs with what is around it."""
        return Place(self.grade, in_module=False, in_function=False,
                     conditional=self.conditional, as_script=self.as_script,
                     module_names=set())  # fmt: skip

    def of_function(self) -> Place:
        """The body of a function that is defined at this place."""
        grade = self.grade if self.grade is Grade.TYPE_CHECKING else Grade.DEFERRED
        return Place(grade, in_module=False, in_function=True, conditional=True,
                     as_script=self.as_script, module_names=set())  # fmt: skip

    @property
    def happens(self) -> bool:
        """Whether what is done here is done, or may be, when the module is imported."""
        return self.grade is not Grade.TYPE_CHECKING and not self.as_script

    def binds(self, name: str) -> bool:
        """Whether a name that is bound here is one of the module."""
        if not self.happens:
            return False
        return self.in_module or bool(self.module_names and name in self.module_names)
