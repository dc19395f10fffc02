#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of check_floors.py: small trees, each wrong in one way, and the line that must be named."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TABLE = (HERE.parents[1] / 'cmake' / 'floors.txt').read_text(encoding='utf-8')
HEAD = '// SPDX-License-Identifier: MIT\n#pragma once\n'


def check(files, table=TABLE):
    """Runs the script over a tree of {name under include/: text after the head}; returns (exit code, output)."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / 'cmake').mkdir()
        (root / 'cmake' / 'floors.txt').write_text(table, encoding='utf-8')
        (root / 'include').mkdir()
        for name, text in files.items():
            path = root / 'include' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text[1:] if text.startswith('!') else HEAD + text, encoding='utf-8')
        run = subprocess.run([sys.executable, HERE / 'check_floors.py', '--root', root],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr


class Floors(unittest.TestCase):
    def refuses(self, files, expected, table=TABLE):
        code, output = check(files, table)
        self.assertEqual(code, 1, output)
        self.assertIn(expected, output)
        self.assertIn(', 1 failures', output)

    def accepts(self, files, table=TABLE):
        code, output = check(files, table)
        self.assertEqual(code, 0, output)

    def test_includes_that_go_down_or_stay_in_the_folder_are_fine(self):
        self.accepts({
            'leat/base/list.hpp': '#include <cstddef>\n',
            'leat/base/heap.hpp': '#include <leat/base/list.hpp>\n',
            'leat/core/task.hpp': '#include <leat/base/heap.hpp>\n\n#include <vector>\n',
            'leat/net/detail/handle.hpp': '#include <leat/core/task.hpp>\n',
            'leat/net/socket.hpp': '#include <leat/net/detail/handle.hpp>\n#include <memory>\n',
            'leat/testing/clock.hpp': '#include <leat/net/socket.hpp>\n',
            'leat/net.hpp': '#include <leat/net/socket.hpp>\n',
            'leat.hpp': '#include <leat/net.hpp>\n',
        })

    def test_an_include_that_goes_up_is_named(self):
        self.refuses({'leat/loop/run.hpp': '', 'leat/core/task.hpp': '// why\n#include <leat/loop/run.hpp>\n'},
                     'include/leat/core/task.hpp:4: <leat/loop/run.hpp> goes up: core (F2) -> loop (F4)')

    def test_bodies_that_are_compiled_nowhere_are_named(self):
        files = {'leat/core/task.hpp': '#if LEAT_BODIES\n#endif\n', 'leat/core.hpp': '#include <leat/core/task.hpp>\n',
                 'leat/compiled.hpp': '#include <leat/core.hpp>\n'}
        self.accepts(files)
        self.refuses({**files, 'leat/core/lost.hpp': '#if LEAT_BODIES\n#endif\n'},
                     'include/leat/core/lost.hpp:3: these bodies are in no object')

    def test_a_sibling_needs_a_named_edge(self):
        self.refuses({'leat/fs/file.hpp': '', 'leat/net/socket.hpp': '#include <leat/fs/file.hpp>\n'},
                     'include/leat/net/socket.hpp:3: <leat/fs/file.hpp>: net -> fs is no named edge')

    def test_a_named_edge_to_one_header_allows_that_header_only(self):
        files = {'leat/dns/lookup.hpp': '', 'leat/dns/resolver.hpp': ''}
        self.accepts({**files, 'leat/net/socket.hpp': '#include <leat/dns/lookup.hpp>\n'})
        self.refuses({**files, 'leat/net/socket.hpp': '#include <leat/dns/resolver.hpp>\n'},
                     'include/leat/net/socket.hpp:3: <leat/dns/resolver.hpp>: net -> dns is no named edge')

    def test_a_named_edge_holds_in_one_direction(self):
        files = {'leat/fs/file.hpp': '', 'leat/process/stdio.hpp': '#include <leat/fs/file.hpp>\n'}
        self.accepts(files)
        self.refuses({'leat/process/stdio.hpp': '', 'leat/fs/file.hpp': '#include <leat/process/stdio.hpp>\n'},
                     'fs -> process is no named edge')

    def test_a_circle_is_told_with_the_way_round(self):
        self.refuses({'leat/base/a.hpp': '#include <leat/base/b.hpp>\n',
                      'leat/base/b.hpp': '#include <leat/base/c.hpp>\n',
                      'leat/base/c.hpp': '\n#include <leat/base/a.hpp>\n'},
                     'include/leat/base/c.hpp:4: circle: base/a.hpp -> base/b.hpp -> base/c.hpp -> base/a.hpp')

    def test_a_header_that_includes_itself_is_a_circle(self):
        self.refuses({'leat/base/a.hpp': '#include <leat/base/a.hpp>\n'}, 'circle: base/a.hpp -> base/a.hpp')

    def test_detail_is_reached_from_its_own_folder_only(self):
        self.refuses({'leat/loop/detail/ring.hpp': '', 'leat/net/socket.hpp': '#include <leat/loop/detail/ring.hpp>\n'},
                     "include/leat/net/socket.hpp:3: <leat/loop/detail/ring.hpp> is a detail of 'loop'")
        self.refuses({'leat/loop/detail/ring.hpp': '', 'leat/net.hpp': '#include <leat/loop/detail/ring.hpp>\n'},
                     "include/leat/net.hpp:3: <leat/loop/detail/ring.hpp> is a detail of 'loop'")

    def test_a_folder_must_be_in_the_table(self):
        self.refuses({'leat/misc/a.hpp': ''}, "include/leat/misc/a.hpp:1: folder 'misc' is on no floor")

    def test_nothing_includes_testing_or_a_facade(self):
        self.refuses({'leat/testing/clock.hpp': '', 'leat/app/app.hpp': '#include <leat/testing/clock.hpp>\n'},
                     "include/leat/app/app.hpp:3: <leat/testing/clock.hpp>: 'testing' stands beside the floors")
        self.refuses({'leat/net.hpp': '', 'leat/app/app.hpp': '#include <leat/net.hpp>\n'},
                     'include/leat/app/app.hpp:3: <leat/net.hpp> is a facade')
        self.refuses({'leat.hpp': '', 'leat/app/app.hpp': '#include <leat.hpp>\n'},
                     'include/leat/app/app.hpp:3: <leat.hpp> is a facade')

    def test_a_facade_holds_includes_only(self):
        self.refuses({'leat/net.hpp': '// words\n\nnamespace leat {}\n'},
                     'include/leat/net.hpp:5: a facade holds includes only')

    def test_a_header_has_at_most_450_lines(self):
        self.accepts({'leat/net/socket.hpp': '\n' * 448})
        self.refuses({'leat/net/socket.hpp': '\n' * 449}, 'include/leat/net/socket.hpp:451: 451 lines; at most 450')

    def test_a_named_header_may_have_more_lines_up_to_its_own_limit(self):
        table = TABLE + 'lines 600 http/parser.hpp\n'
        self.accepts({'leat/http/parser.hpp': '\n' * 598}, table)
        self.refuses({'leat/http/parser.hpp': '\n' * 599}, 'include/leat/http/parser.hpp:601: 601 lines; at most 600', table)
        self.refuses({'leat/http/parser.hpp': '\n' * 598, 'leat/http/other.hpp': '\n' * 449},
                     'include/leat/http/other.hpp:451: 451 lines; at most 450', table)

    def test_more_lines_are_for_a_header_that_is_there_and_needs_them(self):
        table = TABLE + 'lines 600 http/parser.hpp\n'
        self.refuses({'leat/http/other.hpp': ''}, 'floors table: lines 600 http/parser.hpp: there is no such header', table)
        self.refuses({'leat/http/parser.hpp': '\n' * 448},
                     'floors table: lines 600 http/parser.hpp: it has no more than 450', table)

    def test_dear_standard_headers_stay_out_of_the_low_floors(self):
        for name in ['atomic', 'functional', 'memory', 'chrono', 'thread', 'mutex', 'iostream', 'sstream', 'future',
                     'filesystem', 'regex', 'ranges', 'algorithm']:
            for folder in ['base', 'sys', 'core']:
                self.refuses({f'leat/{folder}/a.hpp': f'#include <{name}>\n'},
                             f'include/leat/{folder}/a.hpp:3: <{name}> is too dear')
            if name == 'memory':
                self.refuses({'leat/loop/a.hpp': '#include <memory>\n'}, 'include/leat/loop/a.hpp:3: <memory> is too dear')
                self.accepts({'leat/http/a.hpp': '#include <memory>\n'})
            else:
                self.accepts({'leat/loop/a.hpp': f'#include <{name}>\n'})

    def test_thread_local_stays_in_one_file_and_comments_do_not_count(self):
        self.accepts({'leat/core/thread_state.hpp': 'inline thread_local int x = 0;\n',
                      'leat/core/task.hpp': '// thread_local\n/* thread_local */ const char* s = "thread_local";\n'
                                            'int my_thread_local_count;\n'})
        self.refuses({'leat/core/task.hpp': '\nstatic thread_local int x = 0;\n'},
                     "include/leat/core/task.hpp:4: 'thread_local' belongs in core/thread_state.hpp alone")

    def test_an_include_in_a_comment_does_not_count(self):
        self.accepts({'leat/loop/run.hpp': '', 'leat/core/a.hpp': '/*\n#include <leat/loop/run.hpp>\n*/\n'})

    def test_headers_are_included_by_their_full_name_and_must_exist(self):
        self.refuses({'leat/core/a.hpp': '#include "b.hpp"\n'}, 'include/leat/core/a.hpp:3: "b.hpp": headers are')
        self.refuses({'leat/core/a.hpp': '#include <leat/core/b.hpp>\n'}, 'a.hpp:3: <leat/core/b.hpp> does not exist')

    def test_a_header_has_its_head(self):
        self.refuses({'leat/core/a.hpp': '!\n#pragma once\n'}, 'include/leat/core/a.hpp:1: the first line is not')
        self.refuses({'leat/core/a.hpp': '!// SPDX-License-Identifier: MIT\n'}, "a.hpp:1: no '#pragma once'")

    def test_unnamed_namespaces_and_namespaces_that_are_macros_are_refused(self):
        self.refuses({'leat/core/a.hpp': 'namespace {\n}\n'}, 'a.hpp:3: an unnamed namespace')
        self.refuses({'leat/core/a.hpp': 'namespace leat::linux {\n}\n'}, "a.hpp:3: 'linux' and 'unix' are macros")

    def test_an_empty_tree_and_a_table_that_is_not_understood_are_failures(self):
        self.assertEqual(check({})[0], 1)
        code, output = check({'leat/base/a.hpp': ''}, 'floor 0 base\nflor 1 sys\n')
        self.assertEqual(code, 1)
        self.assertIn('floors table, line 2: flor 1 sys', output)


if __name__ == '__main__':
    unittest.main()
