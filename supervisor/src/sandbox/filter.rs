//! The filter of system calls.
//!
//! In -> out: this machine's kind -> a program for the kernel, made once; it holds for the command and all it starts.
//! Invariant: what is not named is let through; a call of another kind of machine ends its process.
//! Not here: putting them up (`launch.rs`, as the last thing before the program).

use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    sock_filter,
};

/// Answered with EPERM. What looks into other processes, what makes or moves mounts, what the kernel's newer ways in are
/// made of, keys, modules, clocks, and what belongs to the whole machine.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// As above, of this kind of machine alone.
#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[libc::c_long] =
    &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load, libc::SYS_uselib];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[libc::c_long] = &[];

const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];
/// Every other family is refused.
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// `SOCK_PACKET`, which the kernel still takes.
const PACKETS: libc::c_int = 10;
/// `TIOCSTI` and `TIOCLINUX`: who types for the terminal.
const TERMINAL_INPUT: [u64; 2] = [0x5412, 0x541c];
/// Set-user-ID: whoever starts such a file is its owner, outside of the sandbox too.
const OWNERS_RIGHTS: u64 = 0o4000;
/// Set-group-ID. Folders have it and hand it on, and what copies them gives it: it is refused only where a file is made.
const GROUPS_RIGHTS: u64 = 0o2000;
/// The bit of `O_TMPFILE` that no other flag has.
const UNNAMED: libc::c_int = libc::O_TMPFILE & !libc::O_DIRECTORY;
/// On every kind of machine.
const FCHMODAT2: libc::c_long = 452;
/// Calls that give a mode to what is there, and which argument that is.
const MODES: &[(libc::c_long, u8)] = &[(libc::SYS_fchmod, 1), (libc::SYS_fchmodat, 2), (FCHMODAT2, 2)];
#[cfg(target_arch = "x86_64")]
const MODES_HERE: &[(libc::c_long, u8)] = &[(libc::SYS_chmod, 1)];
#[cfg(not(target_arch = "x86_64"))]
const MODES_HERE: &[(libc::c_long, u8)] = &[];
/// Calls that make a file with a mode.
const MAKES: &[(libc::c_long, u8)] = &[(libc::SYS_mknodat, 2)];
#[cfg(target_arch = "x86_64")]
const MAKES_HERE: &[(libc::c_long, u8)] = &[(libc::SYS_creat, 1), (libc::SYS_mknod, 1)];
#[cfg(not(target_arch = "x86_64"))]
const MAKES_HERE: &[(libc::c_long, u8)] = &[];
/// Calls that do so where they make a file, and which argument their flags are; the mode is the next one.
#[cfg(target_arch = "x86_64")]
const OPENS: &[(libc::c_long, u8)] = &[(libc::SYS_openat, 2), (libc::SYS_open, 1)];
#[cfg(not(target_arch = "x86_64"))]
const OPENS: &[(libc::c_long, u8)] = &[(libc::SYS_openat, 2)];
/// The bit that marks the other numbering of calls on `x86_64`.
const OTHER_NUMBERING: u32 = 0x4000_0000;

/// Calls that are answered as if the kernel did not know them: what they ask for lies in memory, where a filter cannot look.
/// Programs fall back to `clone` and `openat`.
const UNKNOWN: [libc::c_long; 2] = [libc::SYS_clone3, libc::SYS_openat2];

/// One for all of it: the kernel compiles each that is put up.
pub(crate) fn program() -> io::Result<BpfProgram> {
    let mut refused: Vec<(libc::c_long, Vec<SeccompRule>)> =
        REFUSED.iter().chain(REFUSED_HERE).map(|call| (*call, Vec::new())).collect();
    let namespaces = NEW_NAMESPACES.map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        rule(&[(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag)])
    });
    refused.push((libc::SYS_clone, all(namespaces)?));
    let strange = FAMILIES
        .map(|family| (0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(family.cast_unsigned())));
    // Raw ones of any family, whatever flags stand beside the kind.
    let raw = [libc::SOCK_RAW, PACKETS].map(|kind| {
        (1, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(0xf), u64::from(kind.cast_unsigned()))
    });
    // Routes are asked for by a raw one.
    let not_netlink = (0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::AF_NETLINK as u64);
    let is_netlink = (0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, libc::AF_NETLINK as u64);
    let not_route = (2, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, libc::NETLINK_ROUTE as u64);
    let mut sockets = vec![rule(&strange)?, rule(&[is_netlink, not_route])?];
    for kind in raw {
        sockets.push(rule(&[kind, not_netlink.clone()])?);
    }
    refused.push((libc::SYS_socket, sockets));
    let typed = TERMINAL_INPUT.map(|call| rule(&[(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, call)]));
    refused.push((libc::SYS_ioctl, all(typed)?));
    let has = |argument: u8, bit: u64| (argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bit), bit);
    for (call, mode) in MODES.iter().chain(MODES_HERE) {
        refused.push((*call, vec![rule(&[has(*mode, OWNERS_RIGHTS)])?]));
    }
    let rights = [OWNERS_RIGHTS, GROUPS_RIGHTS];
    for (call, mode) in MAKES.iter().chain(MAKES_HERE) {
        refused.push((*call, all(rights.map(|bit| rule(&[has(*mode, bit)])))?));
    }
    for (call, flags) in OPENS {
        let mut rules = Vec::new();
        for makes in [libc::O_CREAT, UNNAMED].map(|flag| u64::from(flag.cast_unsigned())) {
            for bit in rights {
                rules.push(rule(&[has(*flags, makes), has(flags + 1, bit)])?);
            }
        }
        refused.push((*call, rules));
    }
    let machine = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let answer = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let filter = SeccompFilter::new(refused.into_iter().collect(), SeccompAction::Allow, answer, machine);
    let program: BpfProgram =
        filter.and_then(TryInto::try_into).map_err(|error| io::Error::other(error.to_string()))?;
    with_unknown(program)
}

/// Makes this process ask the kernel through it, for good.
pub(crate) fn enter(program: &[sock_filter]) -> io::Result<()> {
    seccompiler::apply_filter(program).map_err(|error| match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
        _ => io::Error::from_raw_os_error(libc::EINVAL),
    })
}

/// Puts [`UNKNOWN`] into a program, and every call by its other number, which no rule names.
fn with_unknown(mut program: BpfProgram) -> io::Result<BpfProgram> {
    let one = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    let mut more = vec![one(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    let mut tests: Vec<(u32, u32)> = Vec::new();
    if cfg!(target_arch = "x86_64") {
        tests.push((libc::BPF_JGE, OTHER_NUMBERING));
    }
    for call in UNKNOWN {
        tests.push((libc::BPF_JEQ, u32::try_from(call).map_err(io::Error::other)?));
    }
    for (left, (how, number)) in (0..tests.len()).rev().zip(&tests) {
        // To the answer behind the last test; from there, past the answer.
        let past = u8::from(left == 0);
        more.push(one(
            libc::BPF_JMP | how | libc::BPF_K,
            u8::try_from(left).map_err(io::Error::other)?,
            past,
            *number,
        ));
    }
    let answer = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();
    more.push(one(libc::BPF_RET | libc::BPF_K, 0, 0, answer));
    // A program begins with which kind of machine calls, and ends the process of another one.
    let begins = [libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K];
    let begins = begins.into_iter().chain([libc::BPF_RET | libc::BPF_K]).map(|code| code as u16);
    let length = begins.clone().count();
    if !program.iter().take(length).map(|step| step.code).eq(begins) {
        return Err(io::Error::other("a filter begins in another way"));
    }
    program.splice(length..length, more);
    Ok(program)
}

type Condition = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

fn rule(conditions: &[Condition]) -> io::Result<SeccompRule> {
    let conditions = conditions.iter().cloned();
    let conditions =
        conditions.map(|(argument, length, how, value)| SeccompCondition::new(argument, length, how, value));
    conditions
        .collect::<Result<Vec<_>, _>>()
        .and_then(SeccompRule::new)
        .map_err(|error| io::Error::other(error.to_string()))
}

fn all<const N: usize>(rules: [io::Result<SeccompRule>; N]) -> io::Result<Vec<SeccompRule>> {
    rules.into_iter().collect()
}
