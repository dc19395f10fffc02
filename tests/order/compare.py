#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the JavaScript under node and the C++ beside it, and compares what they did, case by case.

  compare.py --node NODE --program PROGRAM cases [PART]      the cases whose name holds PART
  compare.py --node NODE --program PROGRAM exits [PART]      those that are a process of their own
  compare.py --node NODE --program PROGRAM programs [-n 1000] [--seed 1]           random, of promises
  compare.py --node NODE --program PROGRAM stream-programs [-n 1000] [--seed 1]    and of streams
"""
import argparse
import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

import generate
import generate_streams

HERE = os.path.dirname(os.path.abspath(__file__))
# Node empties its queues after tasks of V8's too, such as those of the garbage collector; after an exception that comes at
# a moment of its own. With room for all that a run makes, and without background threads, there is no such task.
NODE_FLAGS = ['--single-threaded', '--min-semi-space-size=64', '--max-semi-space-size=64']
TIMEOUT = 240  # seconds, for all cases of one side; a case takes a few milliseconds


class Failed(Exception):
    pass


def traces(side, output):
    """{name: trace} of lines that hold both, with a tab between them."""
    lines = [line.split('\t', 1) for line in output.splitlines()]
    names = [line[0] for line in lines]
    if len(set(names)) < len(names):
        raise Failed(f'{side} has a case twice: {sorted(name for name in set(names) if names.count(name) > 1)}')
    return dict(lines)


class Sides:
    """The two commands, which take the same arguments."""

    def __init__(self, node, program):
        self.commands = {'node': [node, *NODE_FLAGS, os.path.join(HERE, 'order.js')], 'leat': [program]}

    def run(self, *arguments):
        """The output of both, as {side: {name: trace}}. They run side by side."""
        results = {}
        threads = [threading.Thread(target=self._run, args=(side, arguments, results)) for side in self.commands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for side, result in results.items():
            if isinstance(result, Exception):
                raise result
        return results

    def names(self):
        """Those of the cases that are a process of their own."""
        lists = {}
        for side, command in self.commands.items():
            done = subprocess.run(command + ['list'], capture_output=True, text=True, timeout=60, check=True)
            lists[side] = done.stdout.splitlines()
        if sorted(lists['node']) != sorted(lists['leat']):
            raise Failed(f'only one side has the cases {sorted(set(lists["node"]) ^ set(lists["leat"]))}')
        return lists['node']

    def _run(self, side, arguments, results):
        try:
            done = subprocess.run(self.commands[side] + list(arguments), capture_output=True, text=True, timeout=TIMEOUT)
            if done.returncode != 0:
                raise Failed(f'{side} ended with {done.returncode} after:\n{done.stdout[-2000:]}\n{done.stderr[-8000:]}')
            results[side] = traces(side, done.stdout)
        except subprocess.TimeoutExpired as late:
            results[side] = Failed(f'{side} did not end in {TIMEOUT} s; its output so far:\n{(late.stdout or b"")[-2000:]!r}')
        except Exception as problem:
            results[side] = problem


def differences(results):
    """Prints each case that is not the same on both sides; how many there were."""
    node, leat = results['node'], results['leat']
    different = 0
    for name in list(node) + [name for name in leat if name not in node]:
        if node.get(name) == leat.get(name):
            continue
        different += 1
        print(f'DIFFERENT  {name}\n  node: {node.get(name, "(has no such case)")}\n  leat: {leat.get(name, "(has no such case)")}')
    return different


def compare_cases(sides, part):
    results = sides.run('cases', part)
    if not results['node']:
        raise Failed(f'no case holds {part!r}')
    return len(results['node']), differences(results)


# ---- programs that end their process

class Input:
    """Standard input of a program: the name says what it is connected to. A stream is given what the program asks for by the
    words `give-` and bytes in hex, and ends at `give-end`."""

    def __init__(self, name):
        self.far = None
        kind = name.partition('stdin of ')[2].partition(':')[0]
        if kind == 'a file':
            with tempfile.TemporaryFile() as file:
                file.write(b'from a file')
                file.seek(0)
                self.near = os.dup(file.fileno())
        elif kind == 'a pipe':
            self.near, self.far = os.pipe()
        elif kind == 'a socket':
            self.near, self.far = (end.detach() for end in socket.socketpair())
        else:
            self.near = os.open('/dev/null', os.O_RDONLY)

    def begun(self):
        """The program has its end."""
        os.close(self.near)

    def hear(self, word):
        if word == 'give-end':
            self.close()
        elif word.startswith('give-'):
            try:
                os.write(self.far, bytes.fromhex(word[5:]))
            except OSError:
                pass  # it has gone since

    def close(self):
        if self.far is not None:
            os.close(self.far)
        self.far = None


def outcome(command, name):
    """What a program wrote and how it ended. One that starves its loop is killed when it says that it spins."""
    given = Input(name)
    process = subprocess.Popen(command, stdin=given.near, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    given.begun()
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    words = []
    if name.startswith(('starved', 'stdin')):
        for line in process.stdout:
            words.append(line.strip())
            given.hear(words[-1])
            if words[-1] == 'spinning':
                process.kill()
    output, complaint = process.communicate()
    watchdog.cancel()
    given.close()
    # Node ends with 13 without a word when the module has a listener of `exit`; leat always says why.
    told = ' and says why' if complaint and process.returncode != 13 else ''
    if process.returncode not in (0, 1, 3, 5, 7, 13, -signal.SIGKILL, -signal.SIGTERM, -signal.SIGUSR2):
        told += '\n' + complaint
    return ' '.join(words + output.split() + [f'[exit code {process.returncode}{told}]'])


def compare_exits(sides, part):
    names = sides.names()
    pairs = {name: [command + ['exit', name] for command in sides.commands.values()] for name in names}
    node, program = sides.commands['node'], sides.commands['leat']
    pairs['main never settles'] = [[node[0], os.path.join(HERE, 'unsettled.mjs')], program + ['unsettled']]
    chosen = {name: commands for name, commands in pairs.items() if part in name}
    if not chosen:
        raise Failed(f'no case holds {part!r}')
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = {side: dict(zip(chosen, pool.map(lambda name: outcome(chosen[name][which], name), chosen)))
                   for which, side in enumerate(('node', 'leat'))}
    return len(chosen), differences(results)


# ---- random programs

GENERATORS = {'programs': generate, 'stream-programs': generate_streams}


def compare_programs(sides, kind, count, seed):
    generator = GENERATORS[kind]
    programs = {f'program {n}': generator.program(n) for n in range(seed, seed + count)}
    results = run_programs(sides, kind, programs)
    if set(results['node']) != set(programs):
        raise Failed(f'node ran {len(results["node"])} of {len(programs)} programs')
    different = [name for name in programs if results['node'].get(name) != results['leat'].get(name)]
    differences(results)
    if different:
        name = different[0]
        print(f'\nThe smallest part of {name} that still differs:')
        small = shrink(sides, kind, programs[name])
        print(generator.text({name: small}))
        differences(run_programs(sides, kind, {name: small}))
    return len(programs), len(different)


def run_programs(sides, kind, programs):
    with tempfile.NamedTemporaryFile('w', suffix='.txt') as file:
        file.write(GENERATORS[kind].text(programs))
        file.flush()
        return sides.run(kind, file.name)


def shrink(sides, kind, program):
    """Takes statements away, all candidates of a round in one run, while a difference remains."""
    generator = GENERATORS[kind]
    while True:
        smaller = {f'{n}': candidate for n, candidate in enumerate(generator.smaller(program))}
        if not smaller:
            return program
        results = run_programs(sides, kind, smaller)
        wrong = [name for name in smaller if results['node'].get(name) != results['leat'].get(name)]
        if not wrong:
            return program
        program = min((smaller[name] for name in wrong), key=generator.size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--node', default='node')
    parser.add_argument('--program', required=True)
    kinds = parser.add_subparsers(dest='kind', required=True)
    for kind in ('cases', 'exits'):
        kinds.add_parser(kind).add_argument('part', nargs='?', default='')
    for kind in GENERATORS:
        programs = kinds.add_parser(kind)
        programs.add_argument('-n', type=int, default=int(os.environ.get('LEAT_ORDER_PROGRAMS', 1000)))
        programs.add_argument('--seed', type=int, default=int(os.environ.get('LEAT_ORDER_SEED', 1)))
    options = parser.parse_args()
    sides = Sides(options.node, options.program)
    try:
        version = subprocess.run([options.node, '--version'], capture_output=True, text=True).stdout.strip()
    except OSError as problem:
        print(f'This test needs Node.js (Debian: apt install nodejs): {problem}')
        return 1
    try:
        if options.kind == 'cases':
            count, different = compare_cases(sides, options.part)
        elif options.kind == 'exits':
            count, different = compare_exits(sides, options.part)
        else:
            count, different = compare_programs(sides, options.kind, options.n, options.seed)
    except (Failed, OSError, subprocess.SubprocessError) as problem:
        print(problem)
        return 1
    seed = f' from seed {options.seed}' if options.kind in GENERATORS else ''
    print(f'{count} {options.kind}{seed} compared with node {version}: {different} different')
    return 1 if different else 0


if __name__ == '__main__':
    sys.exit(main())
