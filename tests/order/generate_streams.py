# SPDX-License-Identifier: MIT
"""Random programs of streams, as text that stream_programs.js and stream_programs.cpp interpret.

A program has six streams and a list of operations. A stream is a line of numbers, DEFAULTS says which:

  stream r   Readable          stream t   Transform     stream d   Duplex that gives what it is written
  stream w   Writable          stream x   another one   stream p   PassThrough, of the library

An operation is a moment, a name and what it is about: streams as letters, a pipeline as a word of them, a number.

  now, tick, micro, immediate, tick2, immediate2   from the main code of the program, or so much later
  w.drain, r:read, ...   in the first call of a listener, or of a method of the implementation, that has not had one yet

A `quiet` program does one operation after the other, with time between them for all that follows. There coroutines read:
`loop` to the end or so many chunks, `slowLoop` waits after each, `nextLoop` leaves the stream as it is. A coroutine of leat
goes on in place, one of node some microtasks later: chunks, the ends of coroutines, events and calls of methods are each in
order, but not among each other, and the state is told between the operations.

The chunk of number n is n itself, or n bytes in programs of bytes.
"""
import random

MOMENTS = ['now', 'tick', 'micro', 'immediate', 'tick2', 'immediate2']
# The number of an implementation's delay is that of a moment. `hooks`: construct, destroy and more are there as well.
# `failAt`: the number of the chunk that fails; final fails with 9, destroy with 8. `listens`: whether to "error".
DEFAULTS = {
    'r': {'mark': 16, 'delay': 0, 'autoDestroy': 1, 'listens': 1, 'hooks': 0, 'mode': 0, 'count': 3},
    't': {'mark': 16, 'delay': 0, 'autoDestroy': 1, 'listens': 1, 'hooks': 0, 'mode': 0, 'failAt': 0},
    'd': {'mark': 16, 'delay': 0, 'autoDestroy': 1, 'listens': 1, 'hooks': 0, 'halfOpen': 1, 'failAt': 0},
    'p': {'mark': 16, 'delay': 0, 'autoDestroy': 1, 'listens': 1, 'hooks': 0, 'halfOpen': 1, 'failAt': 0},
    'w': {'mark': 16, 'delay': 0, 'autoDestroy': 1, 'listens': 1, 'hooks': 0, 'emitClose': 1, 'failAt': 0},
    'x': {'mark': 16, 'delay': 0, 'autoDestroy': 1, 'listens': 1, 'hooks': 0, 'emitClose': 1, 'failAt': 0},
}
SOURCES, SINKS = 'rtdp', 'tdpwx'
BOTH = [letter for letter in SOURCES if letter in SINKS]
ROWS = ['rw', 'rt', 'tw', 'rtw', 'rdw', 'rpw', 'rtd', 'tdw', 'rtdw', 'rtpw', 'dp']
# What each is about: S a source, K a sink, B one with both sides, * any, > a source and a sink behind it, R a row,
# n a number.
OPERATIONS = {
    'push': 'Sn', 'pushEnd': 'S', 'unshift': 'Sn', 'read': 'S', 'readSome': 'Sn', 'readZero': 'S',
    'pause': 'S', 'resume': 'S', 'onData': 'S', 'offData': 'S', 'onReadable': 'S', 'offReadable': 'S', 'onceReadable': 'S',
    'write': 'Kn', 'writeTold': 'Kn', 'end': 'K', 'endTold': 'K', 'endWith': 'Kn', 'cork': 'K', 'uncork': 'K',
    'destroy': '*', 'fail': '*', 'finished': '*',
    'pipe': '>', 'pipeOpen': '>', 'unpipe': '>', 'unpipeAll': 'S',
    'pipeline': 'R', 'pipelineAwaited': 'R', 'pipelineOpen': 'R', 'pipelineAborted': 'R', 'abort': '', 'abortable': '*',
}
# Those of quiet programs: nobody else reads, and bytes would be joined in other ways.
QUIET = {
    'loop': 'Sn', 'slowLoop': 'Sn', 'nextLoop': 'Sn', 'push': 'Sn', 'pushEnd': 'S', 'unshift': 'Sn', 'write': 'Kn', 'end': 'K',
    'endWith': 'Kn', 'cork': 'K', 'uncork': 'K', 'destroy': '*', 'fail': '*', 'finished': '*', 'abort': '', 'abortable': '*',
}
OFTEN = ['push', 'write', 'writeTold', 'pipe', 'pushEnd', 'end', 'onData', 'read', 'resume', 'pause']
EVENTS = {'S': ['end', 'pause', 'resume'], 'K': ['drain', 'prefinish', 'finish', 'pipe', 'unpipe'], '*': ['error', 'close']}
METHODS = {'r': ['read'], 't': ['transform', 'flush'], 'd': ['read', 'write', 'final'], 'p': [], 'w': ['write', 'final'],
           'x': ['write', 'final']}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.quiet = seed % 5 == 0

    def program(self):
        if self.quiet:
            return self.quiet_program()
        roll = self.random
        streams = {letter: self.stream(letter) for letter in DEFAULTS}
        table = [name for name in list(OPERATIONS) + OFTEN if roll.random() < 0.45] or list(OPERATIONS)
        self.letters = [letter for letter in DEFAULTS if roll.random() < 0.6] or ['r', 'w']
        operations = []
        if roll.random() < 0.35:
            operations.append(['now', roll.choice(['pipeline', 'pipelineAwaited', 'pipelineAborted']), roll.choice(ROWS)])
        elif roll.random() < 0.3:
            operations.append(['now', 'pipe', *self.pair()])
        for _ in range(roll.randrange(2, 15)):
            name = roll.choice(table)
            moment, words = self.moment(), self.arguments(OPERATIONS[name])
            # Node's buffer has less than no bytes when an implementation reads its own stream.
            if name in ('read', 'readSome', 'readZero') and moment == f'{words[0]}:read':
                moment = 'now'
            operations.append([moment, name, *words])
        # Else what is uncaught differs, and for how long it can be aborted: see README.md.
        for _, name, *words in operations:
            if name == 'abortable':
                streams[words[0]].update((usual, 1) for usual in ('listens', 'emitClose') if usual in streams[words[0]])
        return {'bytes': roll.random() < 0.4, 'streams': streams, 'operations': operations}

    def quiet_program(self):
        roll = self.random
        streams = {letter: self.stream(letter) for letter in DEFAULTS}
        letter = roll.choice(SOURCES)
        self.letters = [letter]
        # Node's loop destroys a stream with two sides when one has ended: see README.md.
        loops = ['loop', 'slowLoop', 'nextLoop'] if letter == 'r' else ['nextLoop']
        table = [name for name in list(QUIET) + OFTEN if name in QUIET and (name in loops or not name.endswith('oop'))]
        # Not both: what is destroyed once its end is known has cases of its own.
        if roll.random() < 0.5:
            # Nor does the reading side end before what is written: a coroutine of leat is told how that fails.
            table = [name for name in table if name not in ('destroy', *(['pushEnd'] if letter != 'r' else []))]
        else:
            table = [name for name in table if name not in ('pushEnd', 'end', 'endWith')]
            streams['r']['mode'] = roll.choice([0, 3])
        for values in streams.values():
            values['listens'] = 1
            if values.get('failAt', 0) > 7:  # likewise: after the end
                values['failAt'] = 0
        names = [roll.choice(table) for _ in range(roll.randrange(1, 10))]
        names.insert(roll.randrange(len(names) + 1), roll.choice(loops))
        # A source that fails takes what is buffered with it: who reads must have had the time to take it.
        if streams['r']['mode'] == 3 and ('slowLoop' in names or 'immediate' not in MOMENTS[streams['r']['delay']]):
            streams['r']['mode'] = 0
        if 'abortable' in names:  # one that has ended and is not destroyed by that: others can be aborted then
            streams[letter]['autoDestroy'] = 1
        operations = [['now', name, *self.arguments(QUIET[name])] for name in names]
        # A loop that is left with the last chunk may have seen the end, or not.
        if streams['r']['mode'] != 0 or {'pushEnd', 'end', 'endWith'}.intersection(names):
            for words in operations:
                if words[1] in loops:
                    words[3] = 0
        return {'bytes': False, 'quiet': True, 'streams': streams, 'operations': operations}

    def stream(self, letter):
        roll = self.random
        values = {
            'mark': roll.choice([0, 1, 2, 3, 5, 16]),
            'delay': roll.randrange(len(MOMENTS)) if roll.random() < 0.6 else 0,
            'autoDestroy': int(roll.random() < 0.85),
            'listens': int(roll.random() < 0.85),
            'hooks': int(roll.random() < 0.4),
            'mode': roll.choice([0, 0, 1, 2, 3]),
            'count': roll.randrange(7),
            'failAt': roll.randrange(1, 10) if roll.random() < 0.25 else 0,
            'halfOpen': int(roll.random() < 0.7),
            'emitClose': int(roll.random() < 0.9),
        }
        return {name: values[name] for name in DEFAULTS[letter]}

    def moment(self):
        roll = self.random
        if roll.random() < 0.75:
            return roll.choice(MOMENTS)
        letter = roll.choice(self.letters)
        if roll.random() < 0.35 and METHODS[letter]:
            return f'{letter}:{roll.choice(METHODS[letter] + ["construct", "destroy"])}'
        events = EVENTS['*'] + (EVENTS['S'] if letter in SOURCES else []) + (EVENTS['K'] if letter in SINKS else [])
        return f'{letter}.{roll.choice(events)}'

    def one(self, among):
        return self.random.choice([letter for letter in self.letters if letter in among] or list(among))

    def pair(self):
        source = self.one(SOURCES)
        order = list(DEFAULTS)  # never in a circle
        return [source, self.one([letter for letter in SINKS if order.index(letter) > order.index(source)])]

    def arguments(self, wanted):
        words = []
        for want in wanted:
            if want == '>':
                words += self.pair()
            elif want == 'R':
                words.append(self.random.choice(ROWS))
            elif want == 'n':
                words.append(self.random.randrange(10))
            else:
                words.append(self.one({'S': SOURCES, 'K': SINKS, 'B': BOTH, '*': list(DEFAULTS)}[want]))
        return words


def program(seed):
    return Generator(seed).program()


def text(programs):
    """All of them in one text, by name."""
    lines = []
    for name, each in programs.items():
        lines += [f'program {name}', 'quiet' if each.get('quiet') else 'bytes' if each['bytes'] else 'items']
        lines += [' '.join(['stream', letter, *map(str, values.values())]) for letter, values in each['streams'].items()]
        lines += ['  ' + ' '.join(map(str, words)) for words in each['operations']]
    return '\n'.join(lines) + '\n'


def size(program):
    unusual = sum(values[name] != usual for letter, values in program['streams'].items()
                  for name, usual in DEFAULTS[letter].items())
    return 4 * len(program['operations']) + 2 * program['bytes'] + unusual + sum(
        words[0] != 'now' for words in program['operations'])


def smaller(program):
    """The programs that have one operation less, or one unusual thing less."""
    operations = program['operations']
    if program['bytes']:
        yield {**program, 'bytes': False}
    for index, words in enumerate(operations):
        yield {**program, 'operations': operations[:index] + operations[index + 1:]}
        if words[0] != 'now':
            yield {**program, 'operations': operations[:index] + [['now', *words[1:]]] + operations[index + 1:]}
    for letter, values in program['streams'].items():
        for name, usual in DEFAULTS[letter].items():
            if values[name] != usual:
                yield {**program, 'streams': {**program['streams'], letter: {**values, name: usual}}}
