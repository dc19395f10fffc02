#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of scripts/leat-lint: each pattern that must be found, and beside it the forms that g++ 12 compiles correctly."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

LINT = pathlib.Path(__file__).resolve().parents[2] / 'scripts' / 'leat-lint'


def lint(text, name='a.cpp'):
    """The findings in a file with this text, as [(line, rule)]."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        path.write_text(text, encoding='utf-8')
        run = subprocess.run([sys.executable, LINT, '--quiet', path], capture_output=True, text=True, check=False)
    found = [(int(line), rule) for line, rule in re.findall(r':(\d+): (B\d): ', run.stdout)]
    assert run.returncode == (1 if found else 0) and not run.stderr, (run.returncode, run.stdout, run.stderr)
    return found


class LeatLint(unittest.TestCase):
    def coroutine(self, body):
        return lint('Task<> t(int number, const char* text, Socket socket) {\n  int local = 0;\n' + body + '\n}\n')

    def finds(self, rule, *bodies):
        for body in bodies:
            with self.subTest(body=body):
                self.assertIn((3, rule), self.coroutine(body))

    def passes(self, *bodies):
        for body in bodies:
            with self.subTest(body=body):
                self.assertEqual(self.coroutine(body), [])

    def test_b1_closures_that_capture_by_value(self):
        self.finds('B1',
                   'co_await run([s] { use(s); });',
                   'co_await p.then([s](int x) mutable noexcept -> std::pair<A, B> { return s; });',
                   'auto r = co_await run([=] { use(s); });',
                   'co_await run([&, s] { use(s); });',
                   'co_await run([s = std::move(s)] { use(s); });',
                   'co_await run(id([s] { return s; }));',
                   'co_await [s]() -> Task<> { co_return; }();',
                   'co_await run([*this] { use(*this); });',
                   'co_await run([socket] { use(socket); });',
                   'if (co_await run([s] { return s; })) go();',
                   'for (int i = 0; i < co_await run([s] { return s; }); ++i) go();',
                   'co_return co_await run([... args = std::move(args)] { use(args...); });',
                   'REQUIRE(co_await run([s] { return s; }) == 1);')

    def test_b1_leaves_harmless_closures_alone(self):
        self.passes('co_await run([] { go(); });',
                    'co_await run([&] { go(); });',
                    'co_await run([&s, this] { use(s); });',
                    'co_await run([number] { use(number); });',
                    'co_await run([text, n = 5, p = &s] { use(text, n, p); });',
                    'auto f = [s] { use(s); };\n  co_await run(std::move(f));',
                    'auto t = run([s] { use(s); });\n  co_await std::move(t);',
                    'co_await run([&] { return [s] { use(s); }; }());',
                    'auto f = [s]() -> Task<> { co_await go(); };\n  f();',
                    'int x = co_await a[i](s);',
                    'auto [a, b] = co_await both();',
                    '[[maybe_unused]] int x = co_await one();')

    def test_b2_braced_aggregates_that_own_something(self):
        self.finds('B2',
                   'co_await get({.host = std::string(h), .port = 80});',
                   'co_await get(Options{.body = std::move(body)});',
                   'co_await get({.name = "x"s});',
                   'co_await get(std::array<std::string, 2>{a, b});')
        declared = 'struct Options { std::string host; int port = 0; };\n'
        use = 'Task<> t() { int local = 0; co_await get(Options{h, local}); }\n'
        self.assertEqual(lint(declared + use), [(2, 'B2')])
        self.assertEqual(lint('struct Aw { std::function<int()> f; bool await_ready() { return false; } };\n'
                              'Task<> t() { int local = 0; co_await Aw{f}; }\n'), [(2, 'B2')])

    def test_b2_leaves_trivial_aggregates_and_classes_alone(self):
        self.passes('co_await get({.host = h, .port = 80});',
                    'co_await get({.host = "example.org", .signal = signal});',
                    'auto o = Options{.body = std::move(body)};\n  co_await get(std::move(o));',
                    'co_await get(Options().body(std::move(body)));',
                    'co_await get(Options{});')
        use = 'Task<> t() { int local = 0; co_await get(Options{h, local}); }\n'
        self.assertEqual(lint('struct Options { std::string_view host; int port = 0; };\n' + use), [])
        self.assertEqual(lint('struct Options { Options(H h, int p); std::string host; };\n' + use), [])

    def test_b3_lists(self):
        self.finds('B3',
                   'co_await all({a, b});',
                   'co_await sum(std::vector<int>{1, 2});',
                   'co_await sum(first, {1, 2});',
                   'std::vector<int> v{co_await a(), co_await b()};',
                   'std::vector<int> v = {co_await a(), co_await b()};')
        self.passes('co_await all(a, b);',
                    'std::vector<int> v{1, 2};\n  co_await sum(std::move(v));',
                    'co_await sum({});',
                    'co_await connect({.host = h});')

    def test_b4_choices_of_class_type(self):
        self.finds('B4',
                   'co_await run(c ? make(1) : make(2));',
                   'auto x = c ? co_await a() : co_await b();',
                   'auto x = c ? co_await a() : throw E();',
                   'co_await say(c ? std::string("a") : b);',
                   'co_await say(c ? "a"s : "b"s);',
                   'co_await (c ? f(X{1}) : g());',
                   'use(co_await a(), c ? X{1} : X{2});')
        self.passes('co_await wait(c ? 1 : 2);',
                    'co_await wait(c ? a : b.c);',
                    'co_await wait(c ? text.size() : static_cast<int>(n));',
                    'co_await wait(c ? Mode::Read : Mode::Write);',
                    'co_await say(c ? "a" : "b");',
                    'auto x = c ? make(1) : make(2);\n  co_await run(x);',
                    'co_await run([&] { return c ? make(1) : make(2); });',
                    'switch (c) { case 1: co_await a(); break; default: co_await b(); }')

    def test_b5_coroutines_without_a_local(self):
        for body in ['if (co_await y()) ++n;',
                     '++n;\n  if (co_await y()) ++n;',
                     'while (co_await y()) { ++n; }',
                     'for (;;) { if (!(co_await y())) co_return; ++n; }',
                     'for (; co_await y();) ++n;',
                     'do { ++n; } while (co_await y());',
                     'switch (co_await y()) { case 1: ++n; }',
                     'try { if (co_await y()) ++n; } catch (...) {}',
                     'if (n == 0) { if (co_await y()) ++n; }',
                     'n = a * b;\n  if (co_await y()) f(n);']:
            with self.subTest(body=body):
                self.assertEqual([rule for _, rule in lint(f'Task<> t(int n) {{\n  {body}\n}}\n')], ['B5'])
                self.assertEqual([rule for _, rule in lint(f'auto f = [](int n) -> Task<> {{\n  {body}\n}};\n')], ['B5'])
                self.assertEqual([rule for _, rule in lint(f'struct S {{ Task<> t() const {{\n  {body}\n}} }};\n')], ['B5'])
                self.assertEqual(lint(f'Task<> t(int n) {{\n  int local = 0;\n  {body}\n}}\n'), [])

    def test_b5_knows_what_counts_as_a_local(self):
        for body in ['for (int i = 0; co_await y(i); ++i) ++n;',
                     'if (bool b = co_await y()) ++n;',
                     'if (auto b = co_await y(); b) ++n;',
                     'if (co_await y()) { std::string s; }',
                     'const auto& [a, b] = pair;\n  if (co_await y()) ++n;',
                     'std::unique_ptr<int> p;\n  while (co_await y()) ++n;',
                     'try { if (co_await y()) ++n; } catch (const Error& error) {}',
                     'for (auto x : xs) if (co_await y()) ++n;',
                     'co_await y();\n  if (n) ++n;',
                     'while (n < 3) co_await y();',
                     'co_return co_await y();']:
            with self.subTest(body=body):
                self.assertEqual(lint(f'Task<> t(int n) {{\n  {body}\n}}\n'), [])

    def test_b5_does_not_take_a_closures_local_for_the_coroutines(self):
        self.assertEqual(lint('Task<> t() {\n  run([] { int local = 0; go(local); });\n  if (co_await y()) go();\n}\n'),
                         [(3, 'B5')])

    def test_b6_things_made_from_co_await(self):
        self.finds('B6',
                   'auto p = new X(co_await a());',
                   'throw X{co_await a()};',
                   'auto o = O{.a = co_await a()};')
        self.passes('auto x = co_await a();\n  throw X{x};',
                    'auto p = std::make_unique<X>(co_await a());')

    def test_b7_statement_expressions(self):
        self.finds('B7', 'int x = ({ auto r = co_await a(); r; });')
        self.assertEqual(lint('#define TRY(x) \\\n  ({ auto r = co_await (x); r; })\n'), [(1, 'B7')])
        self.passes('int x = ({ auto r = a(); r; });\n  co_await b();')

    def test_b8_assertions_of_catch2(self):
        self.finds('B8',
                   'CHECK(co_await a());',
                   'REQUIRE(co_await a() == 1);',
                   'CHECK_FALSE((co_await a()).empty());',
                   'REQUIRE_FALSE(f(co_await a()));',
                   'CATCH_REQUIRE(co_await a());',
                   'if (n) CHECK(co_await a());',
                   'CHECKED_IF(co_await a()) { go(); }')
        self.passes('auto x = co_await a();\n  CHECK(x == 1);',
                    'CHECK_THAT(co_await a(), Equals("x"));',
                    'CHECK_NOTHROW(co_await a());',
                    'CHECK(run([&]() -> Task<> { co_await a(); }) == 0);',
                    'co_await a();\n  CHECK(done);')

    def test_comments_strings_and_directives_are_no_code(self):
        self.passes('// co_await run([s] {});',
                    '/* co_await run([s] {}); */ go("co_await run([s] {})");',
                    'go(R"(co_await run([s] {});)");')
        self.assertEqual(lint('Task<> t() {\n#if A\n  int x = 0;\n#else\n  int x = 1;\n#endif\n  co_await run([s] {});\n}\n'),
                         [(7, 'B1')])

    def test_members_classes_and_templates_are_seen_through(self):
        text = ('namespace a::inline B {\ntemplate <class T = std::pair<int, int>>\nclass X : public Y<T> {\n public:\n'
                '  X() : y_{1}, z_(2) { go(); }\n  template <class F>\n    requires C<F>\n'
                '  Task<> t(F f) const noexcept {\n    int local = 0;\n    co_await run([f] { f(); });\n  }\n'
                '  X& operator=(const X&) { return *this; }\n'
                '  auto u() -> Task<std::pair<int, int>> {\n    if (co_await y()) go();\n  }\n'
                ' private:\n  int y_{0};\n};\n}\n'
                'TEST_CASE("x", "[y]") {\n  SECTION("z") {\n    leat::run([]() -> Task<> {\n'
                '      int local = 0;\n      co_await run([s] {});\n    });\n  }\n}\n')
        self.assertEqual(lint(text), [(10, 'B1'), (14, 'B5'), (24, 'B1')])

    def test_a_finding_can_be_allowed_by_its_rule(self):
        self.passes('// leat-lint: allow B1\n  co_await run([s] {});', 'co_await run([s] {});  // leat-lint: allow B1, B2')
        self.assertEqual(self.coroutine('// leat-lint: allow B4\n  co_await run([s] {});'), [(4, 'B1')])

    def test_cpp_blocks_of_markdown_are_read(self):
        text = 'Words co_await run([s] {}).\n\n```cpp\nint x;\nTask<> t() { int y = 0; co_await run([s] {}); }\n```\n'
        self.assertEqual(lint(text, 'a.md'), [(5, 'B1')])
        self.assertEqual(lint(text.replace('```cpp', '```sh'), 'a.md'), [])

    def test_a_file_that_is_not_there_is_an_error(self):
        run = subprocess.run([sys.executable, LINT, '/nonexistent.cpp'], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn('/nonexistent.cpp: no such file', run.stderr)

    def test_a_folder_is_searched(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / 'sub').mkdir()
            (pathlib.Path(folder) / 'sub' / 'a.hpp').write_text('Task<> t() { if (co_await y()) go(); }\n', encoding='utf-8')
            run = subprocess.run([sys.executable, LINT, folder], capture_output=True, text=True, check=False)
        self.assertIn('a.hpp:1: B5:', run.stdout)
        self.assertIn('1 files, 1 findings', run.stdout)


if __name__ == '__main__':
    unittest.main()
