#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The comparison finds what it is there to find."""
import contextlib
import io
import sys
import unittest

import compare
import generate


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

    def test_a_starved_process_is_killed_when_it_says_so(self):
        spin = 'print("spinning", flush=True)\nwhile True: pass'
        self.assertEqual(compare.outcome([sys.executable, '-c', spin], 'starved: x'), 'spinning [exit code -9]')

    def test_a_wrong_program_is_shrunk_to_what_is_wrong(self):
        count, different = self.quietly(compare.compare_programs, FakeSides('finally'), 40, 1)
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


if __name__ == '__main__':
    unittest.main()
