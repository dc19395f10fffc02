# SPDX-License-Identifier: MIT
"""Medians, ratios and the Markdown that shows them."""

from statistics import median

from .targets import TARGETS


def _figure(value):
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _cell(values):
    """The median of the rounds with the least and the greatest behind it."""
    if not values:
        return "absent"
    ordered = sorted(values.values())
    middle = _figure(median(ordered))
    spread = f" ({_figure(ordered[0])}–{_figure(ordered[-1])})" if len(ordered) > 1 else ""
    return middle + spread


def _table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _values(topic, case, program, metric):
    return topic.samples.get(case, {}).get(program, {}).get(metric, {})


def _metrics(topic, case):
    """The metrics of a case in the order in which they were reported."""
    return list(dict.fromkeys(m for figures in topic.samples[case].values() for m in figures))


def _figures(topic):
    single = {case: _metrics(topic, case) for case in topic.samples}
    if all(len(metrics) == 1 for metrics in single.values()):
        tables = []
        for metric in dict.fromkeys(metrics[0] for metrics in single.values()):
            rows = [[case, *(_cell(_values(topic, case, name, metric)) for name in topic.columns)]
                    for case, metrics in single.items() if metrics[0] == metric]
            tables.append(_table([metric, *topic.columns], rows))
        return "\n\n".join(tables)
    return "\n\n".join(_case_table(topic, case) for case in topic.samples)


def _case_table(topic, case):
    metrics = _metrics(topic, case)
    wanted = [name for name in topic.columns if name in topic.samples[case] or name == "leat"]
    rows = [[name, *(_cell(_values(topic, case, name, metric)) for metric in metrics)]
            for name in wanted]
    return _table([case, *metrics], rows)


def _ratio(topic, target):
    """(name of the rival, leat over rival), by the median over the rounds in which both ran."""
    own = _values(topic, target.case, target.subject, target.metric)
    known = {name: values for name in target.rivals
             if (values := _values(topic, target.case, name, target.metric))}
    if not known:
        return " / ".join(target.rivals), None
    best = min(known, key=lambda name: median(known[name].values()))
    both = own.keys() & known[best].keys()
    return best, median(own[r] / known[best][r] for r in both) if both else None


def _goal(topic, target):
    """(what is compared, its value or None)."""
    subject = f"{target.subject}, {target.case}, {target.metric}"
    if target.over:
        own, other = (_values(topic, case, target.subject, target.metric)
                      for case in (target.case, target.over))
        both = own.keys() & other.keys()
        return subject, target.over, median(own[r] / other[r] for r in both) if both else None
    if not target.rivals:
        own = _values(topic, target.case, target.subject, target.metric)
        return subject, "(absolute)", median(own.values()) if own else None
    rival, ratio = _ratio(topic, target)
    return subject, rival, ratio


def goals(topic):
    """One (subject, rival, value, limit, verdict) per target of the topic."""
    rows = []
    for target in TARGETS:
        if target.topic != topic.name:
            continue
        subject, rival, value = _goal(topic, target)
        verdict = "absent" if value is None else "met" if value <= target.limit else "MISSED"
        rows.append((subject, rival, value, target.limit, verdict))
    return rows


def _goal_table(topic):
    rows = [[subject, rival, "absent" if value is None else f"{value:.2f}", f"{limit:.2f}", verdict]
            for subject, rival, value, limit, verdict in goals(topic)]
    return _table(["goal: leat's figure", "over that of", "is", "at most", "verdict"], rows)


def section(topic):
    parts = [f"## {topic.name}, {topic.builder.name}", topic.about]
    parts.append(_figures(topic) if topic.samples else "No program of this topic could run.")
    parts.append(_goal_table(topic))
    if topic.failures:
        parts.append("Failures:\n" + "\n".join(f"- {line}" for line in topic.failures))
    return "\n\n".join(parts)


def head(machine_facts, rounds):
    warning = "" if rounds >= 5 else (
        " **Fewer than 5 rounds: enough to see that everything runs, not a measurement.**")
    return "\n\n".join([
        "# Results of bench/compare",
        f"Alternating runs, rounds: {rounds}; every round runs each program of a topic once. "
        "Figures are medians over the rounds, least and greatest in brackets; a ratio is the "
        "median of the ratios within each round, so that slow drift of the machine cancels out. "
        "`README.md` beside this file says what each row means. Less is better, except for "
        f"messages and requests per second.{warning}",
        _table(["machine", ""], [[name, value] for name, value in machine_facts]),
    ])
