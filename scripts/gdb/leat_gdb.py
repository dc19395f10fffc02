# SPDX-License-Identifier: MIT
"""Pretty printers of leat for gdb: `source leat_gdb.py`, then `print task`, `print promise`, `print buffer`.

They read memory and call nothing, so they also work on a core file. A program built without optimisation shows most.
"""

import re

import gdb
import gdb.printing

# The inline namespace is the configuration that the program was built in.
NAMES = re.compile(r'^leat::(?:v\d\w*::)?(Task|Promise|Buffer)(<.*>)?$')
MAX_CHAIN = 20
MAX_BYTES = 64


def word(address):
    """The pointer at an address."""
    pointer = gdb.lookup_type('void').pointer().pointer()
    return int(gdb.Value(address).cast(pointer).dereference())


def symbol(address):
    """The name of the function or object at an address, without what the compiler put behind it."""
    text = gdb.execute(f'info symbol {address:#x}', to_string=True).strip()
    if text.startswith('No symbol'):
        return None
    return re.sub(r'( in section .*| \+ \d+.*)$', '', text)


def without_parameters(name):
    """`f(int)` as `f()`; the parentheses of an unnamed namespace stay."""
    depth = 0
    for at in range(len(name) - 1, -1, -1):
        depth += {')': 1, '(': -1}.get(name[at], 0)
        if depth == 0:
            return f'{name[:at]}()' if name.endswith(')') else name
    return name


def coroutine(frame):
    """The function whose frame this is. Its first word is the code that goes on, null at the end."""
    function = word(frame)
    if function == 0:
        return None
    name = symbol(function) or f'{function:#x}'
    # g++: f(f()::_Z1fv.Frame*) [clone .actor]; clang: f(int) [clone .resume]
    name = re.sub(r'( ?\[clone [^\]]*\]|\.(actor|resume|destroy))+$', '', name)
    name = re.sub(r'\[abi:\w+\]', '', name)
    name = without_parameters(name)
    return re.sub(r'leat::v\d\w*::', 'leat::', name)


def short(type_):
    return re.sub(r'leat::v\d\w*::', 'leat::', str(type_.strip_typedefs().unqualified()))


def field(value, name):
    """A field by name, also out of a base or an unnamed union; None if there is none."""
    for candidate in value.type.strip_typedefs().fields():
        if candidate.name == name:
            return value[candidate]
        if candidate.is_base_class or not candidate.name:
            found = field(value[candidate], name)
            if found is not None:
                return found
    return None


def text_of(shared):
    """A leat::detail::SharedText: the characters lie behind its block."""
    block = shared['block_']
    if int(block) == 0:
        return ''
    return (block + 1).cast(gdb.lookup_type('char').pointer()).string(errors='replace')


def describe_exception(pointer):
    """What a std::exception_ptr holds, by the header that the C++ ABI puts before every exception."""
    thrown = int(pointer['_M_exception_object'])
    if thrown == 0:
        return 'no exception'
    word_size = gdb.lookup_type('void').pointer().sizeof
    if word_size != 8:
        return f'an exception at {thrown:#x}'
    info = word(thrown - 112)  # __cxa_exception::exceptionType
    name = symbol(info) or ''
    name = re.sub(r'^typeinfo for ', '', name)
    shown = re.sub(r'leat::v\d\w*::', 'leat::', name) or 'an exception of unknown type'
    try:
        error = gdb.Value(thrown).cast(gdb.lookup_type(name).pointer()).dereference()
        message, code = field(error, 'message_'), field(error, 'code_')
    except gdb.error:
        return shown
    if message is None or code is None:
        return shown
    code = text_of(code)
    return f'{shown}: {text_of(message)}' + (f' [{code}]' if code else '')


def stored(value, type_):
    """How a value of a promise or task is shown: nothing for void, references as what they refer to."""
    if type_.code == gdb.TYPE_CODE_VOID:
        return None
    if type_.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return value.dereference()
    return value


class Printer:
    def __init__(self, value):
        self.value = value
        self.name = short(value.type)
        self.shown = []

    def children(self):
        return self.shown


class TaskPrinter(Printer):
    def to_string(self):
        self.shown = []
        frame = int(self.value['frame']['_M_fr_ptr'])
        if frame == 0:
            return f'{self.name}, empty'
        return f'{self.name}, {self.state(frame)}'

    def children(self):
        self.to_string()
        return self.shown

    def state(self, frame):
        promise = self.promise(frame)
        function = coroutine(frame)
        if function is None:
            return self.result(promise)
        if int(promise['continuation']['_M_fr_ptr']) == 0:
            return f'not started: {function}'
        chain = []
        awaiting = promise['awaiting']
        # An odd one is the error of a task that has ended.
        while int(awaiting) != 0 and int(awaiting) & 1 == 0 and len(chain) < MAX_CHAIN:
            child = int(awaiting['frame']['_M_fr_ptr'])
            if child == 0:
                break
            chain.append(coroutine(child) or 'a task that has ended')
            awaiting = self.promise(child)['awaiting']
        return f'started: {function}' + ''.join(f', awaits {name}' for name in chain)

    def promise(self, frame):
        """The promise lies behind the two pointers that every frame begins with."""
        type_ = self.value['frame'].type.strip_typedefs().template_argument(0)
        size = gdb.lookup_type('void').pointer().sizeof
        return gdb.Value(frame + 2 * size).cast(type_.pointer()).dereference()

    def result(self, promise):
        type_ = self.value.type.strip_typedefs().template_argument(0)
        base = str(promise.type.strip_typedefs().unqualified())
        try:
            whole = promise.address.cast(
                gdb.lookup_type(re.sub(r'TaskPromiseBase$', f'TaskPromise<{type_}>', base)).pointer()).dereference()
            slot = whole['result']['slot_']
        except gdb.error:
            return 'ended'
        state = int(slot['state_'])
        if state == 2:
            return f'threw {describe_exception(slot["error_"])}'
        if state == 1:
            value = stored(slot['value_'], type_)
            if value is not None:
                self.shown = [('value', value)]
            return 'returned'
        return 'ended'


class PromisePrinter(Printer):
    def to_string(self):
        self.shown = []
        state = self.value['state_']['object_']
        if int(state) == 0:
            return f'{self.name}, moved from'
        state = state.dereference()
        status = str(state['status']).rsplit('::', 1)[-1]
        type_ = self.value.type.strip_typedefs().template_argument(0)
        text = f'{self.name}, {status.lower()}'
        if status == 'Rejected':
            text += f' with {describe_exception(state["error"])}' + ('' if state['handled'] else ', unhandled')
        elif status == 'Fulfilled':
            value = stored(field(state, 'value'), type_)
            if value is not None:
                self.shown = [('value', value)]
        else:
            text += f', {self.waiting(state["reactions"])} waiting'
        return text

    def children(self):
        self.to_string()
        return self.shown

    @staticmethod
    def waiting(reactions):
        head = reactions['head_'].address
        count, at = 0, head['next_']
        while int(at) != int(head) and count < 1000:
            count, at = count + 1, at['next_']
        return count


class BufferPrinter(Printer):
    def to_string(self):
        size = int(self.value['size_'])
        storage = self.value['storage_']['object_']
        if int(storage) == 0:
            return f'{self.name}, empty'
        handles = int(self.count(storage))
        text = f'{self.name}, {size} bytes, {handles} handle{"s" if handles != 1 else ""}'
        if size:
            data = gdb.selected_inferior().read_memory(int(self.value['data_']), min(size, MAX_BYTES)).tobytes()
            shown = ''.join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f'\\x{b:02x}' for b in data)
            text += f': "{shown}"' + ('...' if size > MAX_BYTES else '')
        return text

    @staticmethod
    def count(storage):
        count = storage['count_']
        while count.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
            count = count[count.type.strip_typedefs().fields()[0]]
        return count


PRINTERS = {'Task': TaskPrinter, 'Promise': PromisePrinter, 'Buffer': BufferPrinter}


class Printers(gdb.printing.PrettyPrinter):
    def __init__(self):
        super().__init__('leat')

    def __call__(self, value):
        named = NAMES.match(str(value.type.strip_typedefs().unqualified()))
        return PRINTERS[named[1]](value) if named else None


gdb.printing.register_pretty_printer(None, Printers(), replace=True)
