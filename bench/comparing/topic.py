# SPDX-License-Identifier: MIT
"""What all topics have in common: samples by case, program, metric and round."""

from . import programs
from .machine import Failure


class Topic:
    """`samples[case][program][metric]` holds one value per round in which the program ran."""

    name = ""
    about = ""

    def __init__(self, builder):
        self.builder = builder
        self.samples = {}
        self.failures = []
        self.columns = []
        self.rounds = 0
        self.prepare()

    def prepare(self):
        """Builds what the topic needs and sets `columns`, the names of its programs."""

    def runs(self):
        """Yields (program name, function that runs it and returns (case, metric, value)s)."""
        return ()

    def turned(self, items):
        """In each round another one comes first: the memory that Node leaves, say, costs who comes next."""
        items = list(items)
        first = self.rounds % max(len(items), 1)
        return items[first:] + items[:first]

    def round(self):
        for name, measure in self.runs():
            try:
                for case, metric, value in measure():
                    programs_of_case = self.samples.setdefault(case, {})
                    values = programs_of_case.setdefault(name, {}).setdefault(metric, {})
                    values[self.rounds] = value
            except (Failure, OSError) as error:
                self._note(f"{name}: {error}")
        self.rounds += 1

    def _build(self, wanted):
        self.builder.build(wanted)
        for source in dict.fromkeys(program.source for program in wanted):
            if source in self.builder.failed:
                self._note(f"{source.relative_to(programs.ROOT)} does not compile\n"
                           f"{self.builder.failed[source]}")

    def _note(self, failure):
        print(f"  FAILED: {failure}", flush=True)
        first_line = failure.splitlines()[0].replace(f"{programs.ROOT}/", "")
        if first_line not in self.failures:
            self.failures.append(first_line)


def figures_of(output):
    """The `name value [unit]` lines of a program; ns where no unit stands."""
    for line in output.splitlines():
        case, value, *unit = line.split()
        yield case, unit[0] if unit else "ns", float(value)
