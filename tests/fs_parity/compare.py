#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The same operations on files under node and under leat, in two folders that begin alike.

  compare.py --node NODE --program PROGRAM [-n 3000] [--seed 1]

First those of operations.txt, then random ones, then those of a user without rights (operations_nobody.txt; what root runs it
gives them up), those of a process that may open no more files (operations_few.txt) and those of one whose files may not grow
(operations_small.txt). Each line of the output, which holds the result or all of the error, must be the same, and so must the trees
that are left.
"""
import argparse
import contextlib
import os
import random
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'd/e/f/g', 's', 'd/s', 'loop', 'no/x', '', './d/', 'd/../a',
         'n' * 260, 'a/x', '.', 'ä%20 b', 'out', 'out/a']
FLAGS = ['r', 'r+', 'w', 'wx', 'w+', 'a', 'ax', 'a+', 'rs+', 'sr', 'zz']


def quoted(value):
    return urllib.parse.quote(str(value), safe="-_.!~*'(),/")


class Random:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def operation(self):
        r = self.random
        path = lambda: r.choice(NAMES)
        mode = lambda: r.choice([0o644, 0o755, 0o600, 0o777])
        handle = lambda: r.choice('xyz')
        text = lambda: ''.join(r.choice('abcdefgh') for _ in range(r.randrange(12)))
        recursive = lambda: r.choice(['none', 'recursive'])
        choices = [
            lambda: ['open', handle(), path(), r.choice(FLAGS), mode()],
            lambda: [r.choice(['hclose', 'hcloses']), handle()],
            lambda: ['hread', handle(), 8, r.choice([0, 0, 2, 9]), r.choice([0, 3, 8, 9]), r.choice([-1, 0, 2, 5000000000])],
            lambda: ['hwrite', handle(), 'textdata', r.choice([0, 1, 9]), r.choice([2, 7, 9]), r.choice([-1, 0, 3])],
            lambda: ['hreadv', handle(), '2,3', r.choice([-1, 0, 1])],
            lambda: ['hwritev', handle(), '2,3', r.choice([-1, 0, 1])],
            lambda: [r.choice(['hreadFile', 'hstat', 'hsync', 'hdatasync', 'hchown']), handle()],
            lambda: ['hwriteFile', handle(), text()],
            lambda: ['htruncate', handle(), r.choice([0, 3, 20, -1])],
            lambda: ['hchmod', handle(), mode()],
            lambda: ['hutimes', handle(), 1000.5, 2000],
            lambda: ['readFile', path(), r.choice(['r', 'r', 'r+', 'w', 'wx', 'q'])],
            lambda: ['writeFile', path(), text(), r.choice(FLAGS), mode()],
            lambda: ['writeFile', path(), text(), 'w', mode()],
            lambda: ['appendFile', path(), text()],
            lambda: ['truncate', path(), r.choice([0, 3, 20, -1])],
            lambda: [r.choice(['stat', 'lstat', 'statfs', 'chown', 'lchown', 'readlink', 'realpath', 'rmdir', 'unlink', 'opendir',
                               'stat', 'lstat']), path()],
            lambda: ['access', path(), r.choice([0, 4, 6, 1, 9])],
            lambda: ['chmod', path(), r.choice([0o644, 0o755, 0o600, 0o777])],
            lambda: ['chmodText', path(), r.choice(['644', '0755', '00600', '0777', '0o777', '8', '', '-1', '77777777777777'])],
            lambda: [r.choice(['utimes', 'lutimes']), path(), 1000, r.choice([0, 1234567890, 2.5])],
            lambda: [r.choice(['rename', 'link']), path(), path()],
            lambda: ['symlink', r.choice(['a', 'd', 'nowhere', '../a', 'e']), path()],
            lambda: ['mkdir', path(), recursive(), 0o755],
            lambda: ['mkdtemp', r.choice(['d/t-', 'no/x/t-'])],
            lambda: ['rm', path(), r.choice(['none', 'force', 'recursive', 'recursive,force'])],
            # Names alone: there Node follows links to folders.
            lambda: ['readdir', path(), 'none'],
            lambda: ['readdirTypes', path(), recursive()],
            lambda: ['copyFileOnly', path(), path(), r.choice([0, 0, 1, 2, 9])],
            lambda: ['cp', path(), path(), r.choice(['none', 'no-force,errorOnExist', 'verbatimSymlinks', 'dereference'])],
            # A tree is copied to a new place: what an old one does to it depends on the order of the file system.
            lambda: ['cpTree', path(), 'out', r.choice(['recursive', 'recursive,verbatimSymlinks', 'recursive,dereference'])],
            lambda: ['cpFilter', path(), 'out', r.choice(['recursive', 'recursive,verbatimSymlinks', 'none']),
                     '/' + r.choice('abefgsn'),  # no end of a name that mkdtemp has made
                     r.choice(['plain', 'async', 'throws'])],
            lambda: ['rm', 'out', 'recursive,force'],
        ]
        return r.choice(choices)()

    def operations(self, count):
        yield ['mkdir', 'd/e', 'recursive', 0o755]
        yield ['symlink', 'loop', 'loop']
        for _ in range(count):
            operation = self.operation()
            # What this would do to the folder itself, or by its name, is not the same in two folders.
            if operation[0] in ('rm', 'cp', 'cpTree', 'cpFilter', 'rename', 'copyFileOnly', 'symlink', 'link') and '.' in operation[1:]:
                continue
            if operation[0] in ('cpTree', 'cpFilter'):
                yield ['rm', 'out', 'recursive,force']
            yield operation


def tree(root):
    """What is in a folder, with kinds, modes and contents."""
    found = []
    for folder, folders, files in os.walk(root):
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            try:
                known = os.lstat(path)
            except PermissionError:  # in a folder that may be listed, but not entered
                found.append((os.path.relpath(path, root), 'unknown', ''))
                continue
            content = ''
            if stat.S_ISLNK(known.st_mode):
                content = os.readlink(path).replace(os.path.dirname(root), 'OUTER')
            elif stat.S_ISREG(known.st_mode):
                try:
                    with open(path, 'rb') as file:
                        content = file.read(4096)
                except PermissionError:
                    content = 'unreadable'
            hidden = re.sub(r'\bt-\w{6}', 't-XXXXXX', os.path.relpath(path, root))
            found.append((hidden, oct(known.st_mode), content))
    return sorted(found, key=repr)


class Plain:
    """A folder with nothing in it, and a process like any other."""
    FILE = 'operations.txt'

    def start(self, folder):
        """What is there before; gives what is to be called after the tree was looked at."""
        return lambda: None

    def child(self):
        """How the process is made: arguments of subprocess.run."""
        return {}


class Running(Plain):
    """With a program, `running`, that runs, and files that are none: `socket` and `pipe`."""

    def start(self, folder):
        os.mknod(os.path.join(folder, 'socket'), stat.S_IFSOCK | 0o600)
        os.mkfifo(os.path.join(folder, 'pipe'))
        copy = os.path.join(folder, 'running')
        shutil.copy(shutil.which('sleep'), copy)
        process = subprocess.Popen([copy, '600'])
        return lambda: (process.kill(), process.wait())


class Nobody(Plain):
    """The folder belongs to another user, where that can be; see operations_nobody.txt."""
    FILE = 'operations_nobody.txt'
    USER = 65534

    def start(self, folder):
        for name in ('own', 'open', 'sticky', 'sticky/d', 'hidden'):
            os.mkdir(os.path.join(folder, name))
        for name in ('secret', 'own/f', 'open/f', 'sticky/f', 'hidden/f'):
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write('text')
        for name, mode in (('open', 0o777), ('sticky', 0o1777), ('hidden', 0), ('secret', 0)):
            os.chmod(os.path.join(folder, name), mode)
        if os.geteuid() == 0:
            os.chown(os.path.join(folder, 'own'), self.USER, self.USER)
            os.chown(os.path.join(folder, 'own/f'), self.USER, self.USER)
        return lambda: os.chmod(os.path.join(folder, 'hidden'), 0o755)

    def child(self):
        if os.geteuid() != 0:
            return {}
        return {'user': self.USER, 'group': self.USER, 'extra_groups': []}


class Few(Plain):
    """See operations_few.txt."""
    FILE = 'operations_few.txt'

    def child(self):
        # Node raises the soft limit to the hard one.
        return {'preexec_fn': lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))}


class Small(Plain):
    """See operations_small.txt."""
    FILE = 'operations_small.txt'

    def child(self):
        def confine():
            os.dup2(os.open('said', os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644), 2)
            resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))

        return {'preexec_fn': confine}


def perform(command, lines, folder, case):
    # Links may lead one folder up: that is not shared either.
    os.makedirs(os.path.join(folder, 'inner'))
    script = folder + '.txt'
    folder = os.path.join(folder, 'inner')
    with open(script, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines) + '\n')
    end = case.start(folder)
    try:
        return results_of(command, script, folder, case)
    finally:
        end()


def results_of(command, script, folder, case):
    done = subprocess.run(command + [script], cwd=folder, capture_output=True, text=True, timeout=300, **case.child())
    if done.returncode != 0:
        raise SystemExit(f'{command[0]} ended with {done.returncode} after {len(done.stdout.splitlines())} operations:\n{done.stderr[-4000:]}')
    # What mkdtemp chose is random, and a link may lead to where the whole of this happens.
    results = [urllib.parse.unquote(line).replace(os.path.dirname(folder), 'OUTER') for line in done.stdout.splitlines()]
    return [re.sub(r'\bt-\w{6}', 't-XXXXXX', line) for line in results], tree(folder)


def compare(commands, lines, place, case):
    """How many operations differ, all of which are printed."""
    name = f'-{len(os.listdir(place))}'
    results = {side: perform(command, lines, os.path.join(place, side + name), case) for side, command in commands.items()}
    (node, node_tree), (leat, leat_tree) = results['node'], results['leat']
    if len(node) != len(lines) or len(leat) != len(lines):
        raise SystemExit(f'{len(lines)} operations, of which node did {len(node)} and leat {len(leat)}')
    different = 0
    for line, n, l in zip(lines, node, leat):
        # Node asks for both of cp's paths at once: when neither can be had, either may be told.
        race = line.startswith('cp') and all(re.match(r'FAILED \w+ \d+ l?stat ', side) for side in (n, l))
        # With a link to nothing on the way, Node tells of that part of the path.
        dangling = line.startswith(('mkdir ', 'cp')) and n.startswith('FAILED ENOTDIR ') and l.startswith('FAILED ENOENT ')
        if n != l and not race and not dangling:
            different += 1
            print(f'DIFFERENT  {line}\n  node: {n}\n  leat: {l}')
    for entry in node_tree:
        if entry not in leat_tree:
            different += 1
            print(f'DIFFERENT  only after node: {entry}')
    for entry in leat_tree:
        if entry not in node_tree:
            different += 1
            print(f'DIFFERENT  only after leat: {entry}')
    codes = {result.split(' ')[1] for result in node if result.startswith('FAILED ')}
    return different, codes


def fixed(case):
    with open(os.path.join(HERE, case.FILE), encoding='utf-8') as file:
        return [line for line in file.read().splitlines() if line and not line.startswith('#')]


def nobody_can_run(commands, place):
    """Whether a user without rights can start both programs: what is in somebody's home is not theirs."""
    try:
        script = os.path.join(place, 'nothing.txt')
        with open(script, 'w', encoding='utf-8'):
            pass
        return all(subprocess.run(command + [script], cwd=place, capture_output=True, timeout=60, **Nobody().child()).returncode == 0
                   for command in commands.values())
    except OSError:
        return False


def may_write_to_running():
    """Linux 6.11 and 6.12 let who may write to a program that runs."""
    with tempfile.TemporaryDirectory() as folder:
        end = Running().start(folder)
        try:
            with open(os.path.join(folder, 'running'), 'r+b'):
                return True
        except OSError:
            return False
        finally:
            end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--node', default='node')
    parser.add_argument('--program', required=True)
    parser.add_argument('-n', type=int, default=int(os.environ.get('LEAT_FS_OPERATIONS', 3000)))
    parser.add_argument('--seed', type=int, default=int(os.environ.get('LEAT_FS_SEED', 1)))
    options = parser.parse_args()
    place = os.path.realpath(tempfile.mkdtemp(prefix='leat-parity-'))
    # Where who has no rights can get at both.
    os.umask(0o022)
    os.chmod(place, 0o711)
    program = shutil.copy(options.program, os.path.join(place, 'program'))
    script = shutil.copy(os.path.join(HERE, 'parity.js'), place)
    commands = {'node': [options.node, '--no-warnings', script], 'leat': [program]}
    wanted = {'ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ELOOP', 'ENAMETOOLONG', 'EBADF', 'EINVAL', 'EXDEV', 'EPERM', 'EBUSY',
              'ENOSPC', 'EMFILE', 'EACCES', 'ETXTBSY', 'EFBIG', 'ENXIO', 'ESPIPE', 'EIO'}
    try:
        cases = [Running(), Few(), Small(), Nobody()]
        if not nobody_can_run(commands, place):
            commands['node'][0] = shutil.copy(options.node, os.path.join(place, 'node'))
            if not nobody_can_run(commands, place):
                sys.exit(f'a user without rights cannot start a copy of {options.node}, or the program')
        rest = [' '.join(quoted(word) for word in operation) for operation in Random(options.seed).operations(options.n)]
        count, (different, _) = 0, compare(commands, rest, place, Plain())
        codes = set()
        for case in cases:
            lines = fixed(case)
            count += len(lines)
            more, made = compare(commands, lines, place, case)
            different += more
            codes |= made
    finally:
        for folder, folders, _ in os.walk(place):
            for name in folders:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    with contextlib.suppress(OSError):
                        os.chmod(path, 0o700)
        shutil.rmtree(place, ignore_errors=True)
    if may_write_to_running():
        wanted.discard('ETXTBSY')
    missing = wanted - codes
    if missing:
        print(f'the operations make no {sorted(missing)}')
    print(f'{count} operations and {len(rest)} random ones compared: {different} different; errors: {" ".join(sorted(codes))}')
    return 1 if different or missing else 0


if __name__ == '__main__':
    sys.exit(main())
