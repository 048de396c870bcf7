"""The table and the tree of processes."""

from __future__ import annotations

from seclatch.model.process import (
    FilterCause,
    FilterLayer,
    FilterOrigin,
    LiveContainer,
    LiveProcess,
    LiveThread,
)
from seclatch.model.stage import Stage
from seclatch.process.process_selection import ProcessSelection, select_processes
from seclatch.report.tables.process_table import (
    list_flat,
    list_tree,
    make_table_document,
    show_table,
)

HOSTILE = "\x1b[31mred\n9  program"


def process(pid: int, parent: int, *layers: FilterLayer, **more: object) -> LiveProcess:
    bound = 2 if layers else 0
    main = LiveThread(pid, str(more.pop("comm", "sh")), bound, len(layers), False, layers)
    return LiveProcess(pid, parent, 0, "S", ("/bin/sh", "-c", HOSTILE), main, **more)


LAYER = FilterLayer("0badcafe", 7, FilterOrigin(FilterCause.RUNTIME), "docker-default")
WEB = LiveContainer("a" * 64, "web", f"nginx{HOSTILE}")
EVERYBODY = [
    process(1, 0),
    process(2, 1, stage=Stage.SHIM),
    process(3, 2, LAYER, stage=Stage.PROGRAM, container=WEB, comm="\x1b]0;t\a"),
    process(4, 3, LAYER, LAYER, container=WEB),
    process(9, 1),
]


def test_a_tree_has_the_ancestors_of_selected_processes() -> None:
    chosen = select_processes(EVERYBODY, ProcessSelection(containers=("web",)))
    lines = list_tree(EVERYBODY, chosen)
    assert [(line.process.pid, line.above, line.context) for line in lines] == [
        (1, "", True),
        (2, "└─ ", True),
        (3, "   └─ ", False),
        (4, "      └─ ", False),
    ]
    processes = make_table_document(lines, [])["processes"]
    assert isinstance(processes, list)
    assert [each["pid"] for each in processes] == [3, 4]


def test_a_row_has_all_fields() -> None:
    text = list(show_table(list_flat([EVERYBODY[3]])))[1]
    cells = [cell for cell in text.split("  ") if cell]
    assert [cell.strip() for cell in cells[:5]] == ["4", "-", "2", "2", "no"]
    assert "0badcafe docker-default x2" in text and "its runtime x2" in text
    assert "web (nginx" in text


def test_text_of_a_process_is_escaped() -> None:
    lines = list(show_table(list_tree(EVERYBODY, EVERYBODY)))
    assert len(lines) == 1 + len(EVERYBODY)
    assert all(line.isprintable() for line in lines)


def test_lines_are_cut_to_the_width() -> None:
    lines = list(show_table(list_flat(EVERYBODY), 60))
    assert all(len(line) <= 60 for line in lines) and lines[-1].endswith("...")


def test_a_very_long_chain() -> None:
    chain = [process(n, n - 1) for n in range(1, 5000)]
    lines = list_tree(chain, chain)
    assert len(lines) == 4999 and len(lines[-1].above) < 300


def test_a_cycle_of_parents_is_shown_once_or_not_at_all() -> None:
    circle = [process(5, 6), process(6, 5), process(7, 0)]
    pids = [line.process.pid for line in list_tree(circle, circle)]
    assert sorted(pids) == [5, 6, 7]


def test_selection() -> None:
    def pids(**wanted: object) -> list[int]:
        return [each.pid for each in select_processes(EVERYBODY, ProcessSelection(**wanted))]

    assert pids() == [1, 2, 3, 4, 9]
    assert pids(filtered=True) == [3, 4]
    assert pids(pids=(9, 4)) == [4, 9]
    assert pids(containers=("aaa",)) == [3, 4] and pids(containers=("aa",)) == []
    assert pids(names=("s?",)) == [1, 2, 3, 4, 9] and pids(names=("bash",)) == []
    assert pids(filtered=True, pids=(9,)) == []
