#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The comparison finds what it is there to find."""
import contextlib
import io
import signal
import sys
import unittest

import compare
import generate
import generate_streams


class FakeSides:
    """Sides that interpret a program by listing its statements; leat says something else of one of them."""

    def __init__(self, wrong):
        self.wrong = wrong

    def run(self, kind, path):
        with open(path) as file:
            programs = ('\n' + file.read()).split('\nprogram ')[1:]
        node = {each.split('\n', 1)[0]: each.split('\n', 1)[1] for each in programs}
        return {'node': node, 'leat': {name: text.replace(self.wrong, 'nonsense') for name, text in node.items()}}


class CompareTest(unittest.TestCase):
    def quietly(self, call, *arguments):
        self.output = io.StringIO()
        with contextlib.redirect_stdout(self.output):
            return call(*arguments)

    def test_equal_traces_are_no_difference(self):
        self.assertEqual(self.quietly(compare.differences, {'node': {'a': 'x y'}, 'leat': {'a': 'x y'}}), 0)

    def test_a_different_trace_is_shown_with_both(self):
        self.assertEqual(self.quietly(compare.differences, {'node': {'a': 'x y'}, 'leat': {'a': 'y x'}}), 1)
        for part in ('a', 'x y', 'y x'):
            self.assertIn(part, self.output.getvalue())

    def test_a_case_of_one_side_only_is_a_difference(self):
        self.assertEqual(self.quietly(compare.differences, {'node': {'a': ''}, 'leat': {'b': ''}}), 2)

    def test_a_name_that_is_there_twice_is_a_failure(self):
        with self.assertRaises(compare.Failed):
            compare.traces('node', 'a\tx\na\ty\n')

    def test_a_program_that_dies_is_a_failure(self):
        with self.assertRaises(compare.Failed):
            compare.Sides(sys.executable, sys.executable).run('-c', 'raise SystemExit(3)')

    def test_how_a_process_ends_is_part_of_its_outcome(self):
        self.assertEqual(compare.outcome([sys.executable, '-c', 'print(1); raise SystemExit(7)'], 'a'), '1 [exit code 7]')

    def test_a_signal_that_ends_a_process_is_its_exit_code(self):
        end = 'import os, signal, sys\nprint(1, flush=True)\nos.kill(os.getpid(), signal.SIGUSR2)\nprint(2)'
        self.assertEqual(compare.outcome([sys.executable, '-c', end], 'a'), f'1 [exit code {-signal.SIGUSR2}]')

    def test_a_starved_process_is_killed_when_it_says_so(self):
        spin = 'print("spinning", flush=True)\nwhile True: pass'
        self.assertEqual(compare.outcome([sys.executable, '-c', spin], 'starved: x'), 'spinning [exit code -9]')

    def test_a_process_is_given_the_input_that_it_asks_for(self):
        ask = 'import os\nprint("give-6162", flush=True)\nprint(os.read(0, 9).decode())\n'
        end = 'print("give-end", flush=True)\nprint(len(os.read(0, 9)))'
        for what in ('a pipe', 'a socket'):
            told = compare.outcome([sys.executable, '-c', ask + end], f'stdin of {what}: x')
            self.assertEqual(told, 'give-6162 ab give-end 0 [exit code 0]')
        plain = 'import os; print(len(os.read(0, 99)))'
        self.assertEqual(compare.outcome([sys.executable, '-c', plain], 'stdin of a file: x'), '11 [exit code 0]')
        self.assertEqual(compare.outcome([sys.executable, '-c', plain], 'a'), '0 [exit code 0]')

    def test_a_wrong_program_is_shrunk_to_what_is_wrong(self):
        count, different = self.quietly(compare.compare_programs, FakeSides('finally'), 'programs', 40, 1)
        self.assertEqual(count, 40)
        self.assertGreater(different, 0)
        small = self.output.getvalue().split('still differs:')[1].split('DIFFERENT')[0]
        self.assertIn('finally', small)
        # Nothing is left but the way to it: a statement for each block, and its end.
        self.assertLessEqual(len(small.split('\n  ')) - 1, 2 * small.count('\nblock '))

    def test_a_seed_gives_the_same_program_again(self):
        self.assertEqual(generate.text({'a': generate.program(5)}), generate.text({'a': generate.program(5)}))
        self.assertNotEqual(generate.program(5), generate.program(6))

    def test_programs_use_every_statement(self):
        text = generate.text({f'{n}': generate.program(n) for n in range(200)})
        for statement in list(generate.STATEMENTS) + list(generate.AWAITS) + ['throw', 'return-promise', 'return-thenable']:
            self.assertIn(f'  {statement}', text)

    def test_a_wrong_program_of_streams_is_shrunk_to_what_is_wrong(self):
        count, different = self.quietly(compare.compare_programs, FakeSides('unpipeAll'), 'stream-programs', 40, 1)
        self.assertEqual(count, 40)
        self.assertGreater(different, 0)
        small = self.output.getvalue().split('still differs:')[1].split('DIFFERENT')[0]
        self.assertEqual([line.split()[:2] for line in small.split('\n') if line.startswith('  ')], [['now', 'unpipeAll']])
        usual = {'bytes': False, 'streams': generate_streams.DEFAULTS, 'operations': []}
        self.assertIn(generate_streams.text({'': usual}).split('items')[1].strip(), small)

    def test_programs_of_streams_use_every_operation_at_every_kind_of_moment(self):
        programs = [generate_streams.program(seed) for seed in range(300)]
        operations = [words for program in programs for words in program['operations']]
        self.assertEqual({words[1] for words in operations}, set(generate_streams.OPERATIONS) | set(generate_streams.QUIET))
        quiet = [words for program in programs if program.get('quiet') for words in program['operations']]
        self.assertEqual({words[1] for words in quiet}, set(generate_streams.QUIET))
        moments = {words[0] for words in operations}
        self.assertLessEqual(set(generate_streams.MOMENTS), moments)
        self.assertTrue({'w.drain', 'r.end', 't:transform', 'd:destroy'} <= moments)
        self.assertEqual({words[2] for words in operations if words[1] == 'pipeline'}, set(generate_streams.ROWS))


if __name__ == '__main__':
    unittest.main()
