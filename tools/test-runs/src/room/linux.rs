//! Giving up rights, on Linux. Each step says in words what the kernel does not have.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};
use rustix::process::{Gid, Resource, Rlimit, Uid, getrlimit, setrlimit};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use super::Room;
use crate::platform::NOBODY;

/// Without what came with this version, files could be truncated and linked elsewhere.
const LEAST: ABI = ABI::V3;
/// What came later is used where it is there.
const MOST: ABI = ABI::V6;

/// How many seconds of CPU time a process has once it was told that it has no more.
const GRACE: u64 = 30;

/// Gives up all rights but those of the room.
pub(super) fn enter(room: &Room) -> Result<(), String> {
    limit(room).map_err(|error| format!("the limits of a process cannot be set: {error}"))?;
    let rules = rules(room).map_err(|error| {
        format!(
            "the kernel has no Landlock, or one that is too old: {error} (there from Linux 6.2 on)"
        )
    })?;
    rules.restrict_self().map_err(|error| format!("Landlock does not work: {error}"))?;
    if room.changes_user() {
        become_nobody().map_err(|error| format!("root cannot become nobody: {error}"))?;
    }
    for filter in filters(room).map_err(|error| format!("there is no seccomp for this: {error}"))? {
        apply_filter(&filter).map_err(|error| format!("the kernel has no seccomp: {error}"))?;
    }
    Ok(())
}

fn limit(room: &Room) -> rustix::io::Result<()> {
    let set = |resource, most: Option<u64>, grace: u64| {
        let Some(most) = most else { return Ok(()) };
        // Only root may ask for more than is allowed already.
        let allowed = |most: u64| getrlimit(resource).maximum.map_or(most, |all| most.min(all));
        let (current, maximum) = (allowed(most), allowed(most.saturating_add(grace)));
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
    };
    set(Resource::Core, Some(0), 0)?;
    set(Resource::Fsize, room.file_size, 0)?;
    // At the hard limit the signal is that of any kill: who has ended the process could not be told.
    set(Resource::Cpu, room.cpu, GRACE)?;
    set(Resource::As, room.memory, 0)?;
    set(Resource::Nproc, room.processes, 0)
}

/// What may be done with files; the network, other processes and sockets without names are out of reach.
fn rules(room: &Room) -> Result<RulesetCreated, landlock::RulesetError> {
    let all = AccessFs::from_all(MOST);
    let least = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(LEAST))?;
    let mut rules = least
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .handle_access(AccessNet::from_all(MOST))?
        .scope(Scope::from_all(MOST))?
        .create()?;
    let run = AccessFs::from_read(MOST);
    let read = run & !AccessFs::Execute;
    let change =
        AccessFs::WriteFile | AccessFs::Truncate | AccessFs::RemoveFile | AccessFs::ReadFile;
    let groups = [
        (&room.read, read),
        (&room.run, run),
        (&room.write, all & !AccessFs::MakeChar & !AccessFs::MakeBlock),
        (&room.change, change),
    ];
    for (paths, access) in groups {
        for path in paths {
            rules = with(rules, path, access)?;
        }
    }
    Ok(rules)
}

/// One more rule. What is not there cannot be reached anyway.
fn with(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, landlock::RulesetError> {
    let Ok(opened) = PathFd::new(path) else { return Ok(rules) };
    let access = match path.is_dir() {
        true => access,
        false => access & AccessFs::from_file(MOST),
    };
    rules.add_rule(PathBeneath::new(opened, access))
}

fn become_nobody() -> rustix::io::Result<()> {
    set_thread_groups(&[])?;
    set_thread_gid(Gid::from_raw(NOBODY))?;
    set_thread_uid(Uid::from_raw(NOBODY))
}

/// The filters of system calls, to be applied one after the other.
fn filters(room: &Room) -> Result<Vec<BpfProgram>, Box<dyn std::error::Error>> {
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.map(|call| (call, Vec::new())).into();
    let mut absent: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    if room.alone {
        refused.extend(FORKS.map(|call| (call, Vec::new())));
        let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
        let process = SeccompCmpOp::MaskedEq(thread);
        let process = SeccompCondition::new(0, SeccompCmpArgLen::Dword, process, 0)?;
        refused.insert(libc::SYS_clone, vec![SeccompRule::new(vec![process])?]);
        // Its flags lie in memory, where a filter cannot look. Who has no such call takes the one above.
        absent.insert(libc::SYS_clone3, Vec::new());
    }
    let filter = |calls, error: i32| -> Result<BpfProgram, Box<dyn std::error::Error>> {
        let refuse = SeccompAction::Errno(error.unsigned_abs());
        let arch = std::env::consts::ARCH.try_into()?;
        Ok(SeccompFilter::new(calls, SeccompAction::Allow, refuse, arch)?.try_into()?)
    };
    let mut filters = vec![filter(refused, libc::EPERM)?];
    if !absent.is_empty() {
        filters.push(filter(absent, libc::ENOSYS)?);
    }
    Ok(filters)
}

/// Ways past the room: other processes' memory, the kernel's own machinery, other views of the system.
const REFUSED: [i64; 24] = [
    // The network, whatever kind it is. Pipes between own processes are none.
    libc::SYS_socket,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_io_uring_setup,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    // All of a group are ended together: nobody leaves it.
    libc::SYS_setsid,
    libc::SYS_setpgid,
];

/// What makes another process, beside `clone`.
#[cfg(target_arch = "x86_64")]
const FORKS: [i64; 2] = [libc::SYS_fork, libc::SYS_vfork];
/// What makes another process, beside `clone`: nothing.
#[cfg(not(target_arch = "x86_64"))]
const FORKS: [i64; 0] = [];
