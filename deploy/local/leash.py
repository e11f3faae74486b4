"""Run a command that dies with its parent: `python leash.py SIGNAL PARENT USER COMMAND...`.

SIGNAL is the number the kernel sends when the parent is gone (Linux; elsewhere nothing is sent),
PARENT the pid that must still be our parent, USER a name to become or `-`. Standard library only,
because it starts before every child: with `-I -S` it costs about 20 ms.
"""

import contextlib
import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


def main(argv: list[str]) -> None:
    signal, parent, user, *command = argv
    if user != "-":
        _become(user)
    # After becoming the user: the kernel forgets this setting when credentials change.
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, int(signal))
    if os.getppid() != int(parent):
        sys.exit("The parent ended before its child began.")
    os.execvp(command[0], command)


def _become(user: str) -> None:
    """Become the user, keeping the right to pass folders such as /root (PostgreSQL refuses root)."""
    entry = pwd.getpwnam(user)
    if sys.platform == "linux":
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        # Where the machine does not allow it, folders open to everybody still work.
        with contextlib.suppress(OSError):
            _keep_reach()


def _keep_reach() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << _CAP_DAC_OVERRIDE
    # Effective, permitted, inheritable: capabilities 0 to 31, then 32 to 63.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _libc().capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _prctl(*arguments: int) -> None:
    if _libc().prctl(*(ctypes.c_ulong(argument) for argument in arguments)) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main(sys.argv[1:])
