"""Programs in which a system call ends the process, or hangs: beginnings of scripts for `run_program`. Linux only.

die_at(call, argument=None, value=0)    the process is killed when it makes the call
hang_at(call)                           the calling thread hangs in it; gives a `Hang` to wait for and to end
"""

from inspect import cleandoc

# Both are a seccomp filter: load the call's number, compare, and so on for the argument; then the verdict or "allow".
_FILTER = cleandoc("""
    import ctypes, os, platform, struct
    NUMBERS = {
        "x86_64": {"rename": 82, "openat": 257, "seccomp": 317},
        "aarch64": {"rename": 38, "openat": 56, "seccomp": 277},
    }[platform.machine()]
    def install_filter(mode, flags, verdict, call, argument=None, value=0):
        load, equal, give = 0x20, 0x15, 0x06
        checks = [(0, NUMBERS[call])]
        checks += [] if argument is None else [(16 + 8 * argument, value)]
        code = b""
        for position, (offset, wanted) in enumerate(checks):
            left = len(checks) - position - 1
            code += struct.pack("HBBI", load, 0, 0, offset) + struct.pack("HBBI", equal, 0, 2 * left + 1, wanted)
        code += struct.pack("HBBI", give, 0, 0, verdict) + struct.pack("HBBI", give, 0, 0, 0x7FFF0000)
        memory = ctypes.create_string_buffer(code)
        program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(memory))
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(38, 1, 0, 0, 0) == 0
        installed = libc.syscall(NUMBERS["seccomp"], mode, flags, ctypes.c_char_p(program))
        assert installed >= 0, os.strerror(ctypes.get_errno())
        return installed
""")

DIE_AT = cleandoc(f"""
{_FILTER}
def die_at(call, argument=None, value=0):
    install_filter(1, 0, 0x80000000, call, argument, value)
""")

# The filter is of one thread, and its verdict is left to whoever holds the descriptor.
HANG_AT = cleandoc(f"""
{_FILTER}
import fcntl, select
class Hang:
    def __init__(self, listener):
        self.listener = listener
    def wait_until_it_hangs(self):
        assert select.select([self.listener], [], [], 60)[0]
    def end(self):
        call = bytearray(80)
        fcntl.ioctl(self.listener, 0xC0502100, call)
        carry_on = struct.pack("QqiI", *struct.unpack_from("Q", call), 0, 0, 1)
        fcntl.ioctl(self.listener, 0xC0182101, carry_on)
def hang_at(call):
    return Hang(install_filter(1, 8, 0x7FC00000, call))
""")
