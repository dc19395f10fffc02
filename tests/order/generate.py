# SPDX-License-Identifier: MIT
"""Random programs of promises, async functions and queues, as text that programs.js and programs.cpp interpret.

A program is a tree of blocks; block 0 is the main code. A block is a list of statements and an end; each block runs at
most once. Promises are numbered variables. A statement about a variable that has no promise yet does nothing.

  tick B / micro B / later B   nextTick, queueMicrotask, and a callback of the loop: a timer or an immediate, by the program
  resolved P / rejected P / asked P / deferred P   a promise of each kind (asked: made of a thenable)
  settle P / fail P / adopt P Q / adopt-thenable P   of a deferred promise
  then P Q B / catch P Q B / both P Q B B / finally P Q B   P is made of Q
  async P B                    P is the promise of an async function
  all P Q... / settled P Q... / race P Q... / any P Q...
  store B                      runs B now, in a store of its own
  await Q / try Q / null / call B   in an async function only; call awaits another one
  return / return-promise Q / return-thenable / throw   the end of a block

A program has timers or immediates, not both, and the timers have one duration: nothing depends on the clock.
"""
import random

# How likely a statement is; what it takes: b a block, v a block that only returns or throws, n a new variable, o an old
# one, d a deferred one, * several old ones.
STATEMENTS = {
    'tick': (5, 'b'), 'micro': (5, 'b'), 'later': (5, 'b'),
    'resolved': (6, 'n'), 'rejected': (3, 'n'), 'asked': (3, 'n'), 'deferred': (5, 'n'),
    'settle': (4, 'd'), 'fail': (2, 'd'), 'adopt': (4, 'do'), 'adopt-thenable': (2, 'd'),
    'then': (10, 'nob'), 'catch': (5, 'nob'), 'both': (4, 'nobv'), 'finally': (6, 'nob'),
    'async': (9, 'na'),
    'all': (3, 'n*'), 'settled': (2, 'n*'), 'race': (3, 'n*'), 'any': (3, 'n*'),
    'store': (3, 'b'),
}
AWAITS = {'await': (6, 'o'), 'try': (6, 'o'), 'null': (4, ''), 'call': (3, 'a')}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.blocks = {}
        self.variables = 0
        self.deferred = []
        self.left = self.random.randint(4, 24)  # blocks to come
        self.timers = self.random.random() < 0.4

    def program(self):
        self.block(0, 'plain', None)
        return {'timers': self.timers, 'blocks': self.blocks}

    def block(self, number, kind, mine):
        """Kinds: plain, async, and value, which only returns or throws. `mine` is the promise that the end settles."""
        self.blocks[number] = block = {'statements': [], 'end': ['return']}
        table = dict(STATEMENTS)
        if kind == 'async':
            table.update(AWAITS)
        size = self.random.randint(3, 9) if number == 0 else self.random.choice([0, 1, 1, 2, 2, 3, 4])
        for _ in range(size):
            name = self.random.choices(list(table), [weight for weight, _ in table.values()])[0]
            statement = self.statement(name, table[name][1])
            if statement:
                block['statements'].append(statement)
        block['end'] = self.end(kind, mine)

    def statement(self, name, takes):
        if any(want in takes for want in 'bav') and self.left <= 0:
            return None
        if 'd' in takes and not self.deferred:
            return None
        if ('o' in takes or '*' in takes) and self.variables == 0:
            return None
        old = self.variables
        made = None
        words = [name]
        for want in takes:
            if want == 'n':
                made = self.variables
                self.variables += 1
                if name == 'deferred':
                    self.deferred.append(made)
                words.append(made)
            elif want == 'd':
                made = self.random.choice(self.deferred)
                words.append(made)
            elif want == 'o' and name == 'adopt':
                # A promise adopts only older ones, so that no two wait for each other.
                if made == 0:
                    return None
                words.append(self.random.randrange(made))
            elif want == 'o':
                words.append(self.recent(old))
            elif want == '*':
                words += [self.recent(old) for _ in range(self.random.choice([0, 1, 2, 2, 3, 3]))]
            else:
                words.append(self.child({'b': 'plain', 'v': 'value', 'a': 'async'}[want], made))
        return words

    def recent(self, count):
        return count - 1 - min(int(self.random.expovariate(0.5)), count - 1)

    def child(self, kind, mine):
        self.left -= 1
        number = max(self.blocks) + 1
        self.block(number, kind, mine)
        return number

    def end(self, kind, mine):
        roll = self.random.random()
        if roll < 0.15:
            return ['throw']
        if kind != 'value' and roll < 0.30 and mine:
            return ['return-promise', self.random.randrange(mine)]
        if kind != 'value' and roll < 0.38:
            return ['return-thenable']
        return ['return']


def children(statement):
    """The blocks that a statement refers to."""
    name = statement[0]
    if name == 'both':
        return statement[3:5]
    if name in ('tick', 'micro', 'later', 'store', 'call', 'then', 'catch', 'finally', 'async'):
        return statement[-1:]
    return []


def tame(program):
    """In a program with timers nothing may throw out of a callback: which timers are then late would show."""
    if not program['timers']:
        return program
    for block in program['blocks'].values():
        for statement in block['statements']:
            if statement[0] in ('tick', 'later', 'store'):
                child = program['blocks'][statement[-1]]
                if child['end'] == ['throw']:
                    child['end'] = ['return']
    return program


def program(seed):
    return tame(Generator(seed).program())


def reachable(program):
    seen, todo = [], [0]
    while todo:
        number = todo.pop()
        seen.append(number)
        for statement in program['blocks'][number]['statements']:
            todo += children(statement)
    return sorted(seen)


def text(programs):
    """All of them in one text, by name."""
    lines = []
    for name, each in programs.items():
        lines += [f'program {name}', 'timers' if each['timers'] else 'immediates']
        for number in reachable(each):
            block = each['blocks'][number]
            lines.append(f'block {number}')
            lines += ['  ' + ' '.join(map(str, statement)) for statement in block['statements'] + [block['end']]]
    return '\n'.join(lines) + '\n'


def size(program):
    blocks = [program['blocks'][number] for number in reachable(program)]
    return sum(len(block['statements']) + (block['end'] != ['return']) for block in blocks)


def smaller(program):
    """The programs that have one statement, or one unusual end, less."""
    for number in reachable(program):
        block = program['blocks'][number]
        changes = [{**block, 'end': ['return']}] if block['end'] != ['return'] else []
        for index in range(len(block['statements'])):
            changes.append({**block, 'statements': block['statements'][:index] + block['statements'][index + 1:]})
        for change in changes:
            yield {**program, 'blocks': {**program['blocks'], number: change}}
