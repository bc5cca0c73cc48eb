"""What a program in a sandbox may try. Each attempt is a function whose return means that it succeeded.

Prints a line for each: its name and `got` or `refused`. Nothing here changes the machine where it succeeds.
"""

import ctypes
import fcntl
import mmap
import os
import signal
import socket
import struct
import sys
import termios
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
OUTSIDE = os.environ["OUTSIDE"]
VICTIM = int(os.environ["VICTIM"])
# Another command in a sandbox of the same host, and where it finds its way out.
NEIGHBOUR = int(os.environ["NEIGHBOUR"])
RELAY = int(os.environ["RELAY"])
IS_X86 = os.uname().machine == "x86_64"
NUMBERS = {
    # Name: x86_64, everybody else.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "unshare": (272, 97), "clone": (56, 220),
    "setns": (308, 268), "add_key": (248, 217), "io_uring_setup": (425, 425), "userfaultfd": (323, 282),
    "perf_event_open": (298, 241), "bpf": (321, 280), "chroot": (161, 51), "mount": (165, 40),
    "umount2": (166, 39), "open_by_handle_at": (304, 265), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "clone3": (435, 435), "open_tree": (428, 428), "fsopen": (430, 430), "quotactl": (179, 60),
    "openat2": (437, 437), "fchmodat2": (452, 452),
}


def call(name, *arguments):
    number = NUMBERS[name][0 if IS_X86 else 1]
    plain = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) for one in arguments]
    answer = LIBC.syscall(ctypes.c_long(number), *plain)
    if answer < 0:
        raise OSError(ctypes.get_errno(), name)
    return answer


def need(is_so):
    if not is_so:
        raise OSError("not so")


# Files.

def read_a_file_outside():
    open(OUTSIDE).read()


def write_a_file_outside():
    os.close(os.open(OUTSIDE, os.O_WRONLY))


def make_a_file_outside():
    # Whether it is outside is looked at there.
    os.close(os.open(OUTSIDE + ".made", os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def read_the_passwords_of_the_machine():
    open("/etc/shadow").read()


def beside(name):
    return os.path.join(os.path.dirname(OUTSIDE), name)


def read_the_keys_of_a_home():
    open(beside("home/.ssh/id_ed25519")).read()


def read_the_folder_of_the_operator():
    open(beside("operator/secret")).read()


def change_the_policy_of_the_operator():
    os.close(os.open(beside("operator/policy.toml"), os.O_WRONLY))


def change_native_code_of_the_host():
    name = beside("native-code/component.cwasm")
    os.rename(name, name + ".moved")
    os.rename(name + ".moved", name)


def poison_a_cache():
    # Whether the one that is kept has it is looked at there; it may be seen, and written into a layer over it.
    with open(beside("cache/kept"), "a") as file:
        file.write("poison")


def write_into_a_system_folder():
    path = "/usr/bin/.orch-test"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.remove(path)


def reach_outside_by_a_link():
    os.symlink(OUTSIDE, "way-out")
    try:
        open("way-out").read()
    finally:
        os.remove("way-out")


def reach_outside_by_a_hard_link():
    os.link(OUTSIDE, "way-out")
    os.remove("way-out")


def reach_outside_through_a_process():
    open(f"/proc/{VICTIM}/root{OUTSIDE}").read()


def read_what_is_hidden():
    need(os.path.exists("hidden"))
    open("hidden/file").read()


def write_what_is_hidden():
    os.close(os.open("hidden-file", os.O_WRONLY))


def put_another_in_the_place_of_what_is_hidden():
    os.rename("hidden", "moved")
    os.rename("moved", "hidden")


def write_what_may_be_read_only():
    os.close(os.open("kept/file", os.O_WRONLY))


def put_another_in_the_place_of_what_may_be_read_only():
    os.rename("kept", "moved")
    os.rename("moved", "kept")


def leave_a_program_that_others_start_as_its_owner():
    name = "owners"
    how = struct.pack("QQQ", os.O_WRONLY | os.O_CREAT, 0o4755, 0)
    ways = [
        lambda: os.chmod(name, 0o4755),
        lambda: os.fchmod(os.open(name, os.O_RDONLY), 0o4755),
        lambda: call("fchmodat2", -100, name.encode(), 0o4755, 0),
        lambda: [os.remove(name), os.open(name, os.O_WRONLY | os.O_CREAT, 0o4755)],
        lambda: [os.remove(name), os.open(name, os.O_WRONLY | os.O_CREAT, 0o2755)],
        lambda: [os.remove(name), os.mknod(name, 0o100000 | 0o4755)],
        lambda: [os.remove(name), call("openat2", -100, name.encode(), how, len(how))],
        lambda: os.link(f"/proc/self/fd/{os.open('.', os.O_WRONLY | os.O_TMPFILE, 0o4755)}", "unnamed", follow_symlinks=True),
    ]
    got = []
    for way in ways:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT, 0o755))
        try:
            way()
        except OSError:
            pass
        for made in (name, "unnamed"):
            if os.path.exists(made):
                got.append(os.stat(made).st_mode & 0o6000)
                os.remove(made)
    need(any(got))


def open_by_handle():
    handle = struct.pack("Ii", 8, 1) + bytes(8)
    try:
        call("open_by_handle_at", os.open(".", os.O_RDONLY), handle, 0)
    except OSError as error:
        # Any other answer comes from a file system that looked.
        need(error.errno not in (1, 38))


# Devices and the kernel's own files.

def open_a_disk():
    disks = [name for name in os.listdir("/dev") if name.startswith(("sd", "vd", "nvme", "xvd", "loop"))]
    need(disks)
    os.close(os.open("/dev/" + disks[0], os.O_RDONLY))


def open_the_kernels_log():
    os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK))


def make_a_device():
    os.mknod("device", 0o600 | 0o020000, os.makedev(1, 3))
    try:
        os.close(os.open("device", os.O_RDONLY))
    finally:
        os.remove("device")


def change_a_setting_of_the_kernel():
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def ask_the_kernel_by_sysrq():
    os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY))


def mount_something():
    os.makedirs("mounted", exist_ok=True)
    call("mount", b"none", b"mounted", b"tmpfs", 0, b"")
    call("umount2", b"mounted", 2)


def mount_by_the_new_calls():
    os.close(call("fsopen", b"tmpfs", 0))


def clone_a_mount():
    os.close(call("open_tree", -100, b"/", 1))


def change_the_root():
    call("chroot", b".")


# Namespaces.

def become_root_of_a_namespace():
    call("unshare", 0x10000000)


def clone_into_a_namespace():
    child = call("clone", 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def clone_into_a_namespace_by_the_new_call():
    arguments = struct.pack("11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    child = call("clone3", arguments, len(arguments))
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def enter_a_namespace():
    call("setns", os.open("/proc/self/ns/uts", os.O_RDONLY), 0)


# Other processes.

def see_other_processes():
    os.stat(f"/proc/{VICTIM}")


def signal_another_process():
    os.kill(VICTIM, signal.SIGURG)


def signal_everybody():
    # Nobody is meant but who is there and may be: a signal that is ignored.
    os.kill(-1, signal.SIGURG)
    need(os.path.exists(f"/proc/{VICTIM}"))


def stop_the_supervisor():
    # For a moment: whoever watches would see nothing meanwhile.
    os.kill(int(os.environ["SUPERVISOR"]), signal.SIGSTOP)
    os.kill(int(os.environ["SUPERVISOR"]), signal.SIGCONT)


def trace_another_process():
    # Seized only: it goes on, and is let go when this process ends.
    call("ptrace", 0x4206, VICTIM, 0, 0)


def read_memory_of_another_process():
    buffer = ctypes.create_string_buffer(8)
    mine = struct.pack("QQ", ctypes.addressof(buffer), 8)
    theirs = struct.pack("QQ", 0x400000, 8)
    try:
        call("process_vm_readv", VICTIM, mine, 1, theirs, 1, 0)
    except OSError as error:
        # It looked, and nothing is there.
        need(error.errno == 14)


def read_the_environment_of_another_process():
    need(open(f"/proc/{VICTIM}/environ").read())


def read_the_environment_of_the_first_process():
    need(open("/proc/1/environ").read())


def open_memory_of_the_first_process():
    os.close(os.open("/proc/1/mem", os.O_RDONLY))


def take_a_descriptor_of_another_process():
    call("pidfd_getfd", call("pidfd_open", VICTIM, 0), 0, 0)


# Network and sockets.

def connect_to_the_machine():
    socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=5).close()


def reach_the_relay_of_another_command():
    # Nobody listens there but in the namespace of the other one.
    for kind in ("user", "net"):
        try:
            call("setns", os.open(f"/proc/{NEIGHBOUR}/ns/{kind}", os.O_RDONLY), 0)
        except OSError:
            pass
    socket.create_connection(("127.0.0.1", RELAY), timeout=5).close()


def connect_to_the_socket_of_the_host():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(os.environ["SOCKET"])


def connect_to_an_abstract_socket():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("\0" + os.environ["ABSTRACT"])


def open_a_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()


def open_a_packet_socket():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def open_a_socket_of_a_rare_family():
    socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0).close()


# Rare ways into the kernel.

def add_a_key():
    # To the process's own ring.
    call("add_key", b"user", b"orch-test", b"x", 1, -2)


def make_a_ring_of_requests():
    os.close(call("io_uring_setup", 4, bytes(256)))


def handle_page_faults():
    os.close(call("userfaultfd", 1))


def count_events_of_the_machine():
    attributes = struct.pack("IIQ", 1, 128, 0) + bytes(112)
    os.close(call("perf_event_open", attributes, 0, -1, -1, 0))


def load_a_program_into_the_kernel():
    # A map of one entry.
    os.close(call("bpf", 0, struct.pack("5I", 2, 4, 4, 1, 0), 20))


def ask_about_quotas():
    try:
        call("quotactl", 0x80000100, 0, 0, 0)
    except OSError as error:
        need(error.errno not in (1, 38))


def call_in_the_numbers_of_another_machine():
    need(IS_X86)
    # mov eax, 20 (getpid); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    need(ctypes.CFUNCTYPE(ctypes.c_int)(address)() > 0)


def type_for_the_terminal():
    leader, follower = os.openpty()
    os.setsid()
    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
    fcntl.ioctl(follower, termios.TIOCSTI, b"x")


# Rights.

def gain_rights_by_a_program():
    status = open("/proc/self/status").read()
    need("NoNewPrivs:\t0" in status)


def have_rights():
    status = open("/proc/self/status").read()
    rights = [line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "CapPrm", "CapBnd"))]
    need(any(int(right, 16) for right in rights))


# Limits; each takes more than the test's and less than hurts.

def start_too_many_processes():
    children = []
    try:
        for _ in range(500):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
        # Longer than two looks.
        time.sleep(1)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def take_too_much_memory():
    # Longer than two looks.
    kept = bytearray(b"x" * (400 << 20))
    time.sleep(1)
    need(len(kept))


def fill_the_disk():
    # In pieces that no limit of a file holds.
    left = int(os.environ["FILL"])
    while left > 0:
        piece = min(left, 8 << 20)
        with open(f"piece-{left}", "wb") as file:
            file.write(bytes(piece))
        left -= piece
    # Longer than two looks.
    time.sleep(1)


def write_too_long_a_file():
    try:
        with open("long", "wb") as file:
            file.truncate(100 << 20)
    finally:
        os.remove("long")


ATTEMPTS = {name: one for name, one in list(globals().items()) if callable(one) and getattr(one, "__module__", "") == "__main__"}
for helper in ("beside", "call", "need"):
    del ATTEMPTS[helper]


def main():
    # These end whoever makes them.
    alone = ("fill_the_disk", "start_too_many_processes", "take_too_much_memory")
    wanted = sys.argv[1:] or [name for name in ATTEMPTS if name not in alone]
    for name in wanted:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGURG, signal.SIG_IGN)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            try:
                ATTEMPTS[name]()
            except (OSError, ValueError, PermissionError) as error:
                os.write(2, f"{name}: {error}\n".encode())
                os._exit(1)
            except BaseException as error:
                os.write(2, f"{name}: BROKEN {error!r}\n".encode())
                os._exit(2)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = {0: "got", 1: "refused", -signal.SIGSYS: "refused"}.get(code, f"broken ({code})")
        print(name, said, flush=True)


main()
