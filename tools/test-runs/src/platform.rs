//! Where operating systems differ, one function for each thing that a task asks of them.
//!
//! What a system does not have is left out, and [`ABSENT`] says so to the user.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

/// What tasks that run test processes must do without here, in words for the user.
pub const ABSENT: Option<&str> = if cfg!(target_os = "linux") {
    None
} else {
    Some("this system can neither limit the memory of a test process nor keep it on one core")
};

/// Has a process that is about to be started not be ended by our Ctrl-C: that is for us, who then
/// end it. [`kill_group`] can end it together with all that it starts.
#[cfg(unix)]
pub fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;

    command.process_group(0);
}

/// Has a process that is about to be started not be ended by our Ctrl-C: that is for us, who then
/// end it.
#[cfg(windows)]
pub fn own_group(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;

    /// What Windows calls `CREATE_NEW_PROCESS_GROUP`.
    const NEW_GROUP: u32 = 0x200;
    command.creation_flags(NEW_GROUP);
}

/// What all processes of a group can be made to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// To stop until they are told to go on.
    Stop,
    /// To go on.
    GoOn,
    /// To end.
    End,
}

/// Makes all of the [group](own_group) that the process with this number began do something, the process itself
/// included. Must be called before the process is waited for: after that the number may be another's.
#[cfg(unix)]
pub(crate) fn order_group(leader: u32, order: Order) {
    use rustix::process::{Pid, Signal, kill_process_group};

    let signal = match order {
        Order::Stop => Signal::STOP,
        Order::GoOn => Signal::CONT,
        Order::End => Signal::KILL,
    };
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(leader, signal);
    }
}

/// Nothing: there are no groups.
#[cfg(not(unix))]
pub(crate) fn order_group(_: u32, _: Order) {}

/// Ends all of the [group](own_group) that the process with this number began, the process itself
/// included. Must be called before the process is waited for: after that the number may be another's.
pub fn kill_group(leader: u32) {
    order_group(leader, Order::End);
}

/// From now on Ctrl-Z does this first, then stops us, and does the other thing as soon as we go on. To be called
/// before any thread is started: one that is there already would be stopped by Ctrl-Z, and we with it, as ever.
#[cfg(unix)]
pub(crate) fn at_ctrl_z(before: fn(), after: fn()) {
    use nix::sys::signal::{SigSet, Signal, raise};

    let mut ctrl_z = SigSet::empty();
    ctrl_z.add(Signal::SIGTSTP);
    // Whoever is started from here on has it blocked too, but for other programs: those begin with nothing blocked.
    if ctrl_z.thread_block().is_err() {
        return;
    }
    let wait = move || {
        while ctrl_z.wait().is_ok() {
            before();
            // It returns when somebody lets us go on.
            let _ = raise(Signal::SIGSTOP);
            after();
        }
    };
    if std::thread::Builder::new().name("Ctrl-Z".into()).spawn(wait).is_err() {
        let _ = ctrl_z.thread_unblock();
    }
}

/// Nothing: there is no Ctrl-Z.
#[cfg(not(unix))]
pub(crate) fn at_ctrl_z(_: fn(), _: fn()) {}

/// Whether a process has ended. It is not waited for, so its number stays its own.
///
/// # Errors
/// If nobody tells.
#[cfg(unix)]
pub fn has_ended(child: &mut Child) -> io::Result<bool> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    Ok(waitid(WaitId::Pid(Pid::from_child(child)), how)?.is_some())
}

/// Whether a process has ended.
///
/// # Errors
/// If nobody tells.
#[cfg(not(unix))]
pub fn has_ended(child: &mut Child) -> io::Result<bool> {
    Ok(child.try_wait()?.is_some())
}

/// How many bytes can still be written below a folder; none if nobody tells.
#[cfg(unix)]
pub fn free_space(folder: &Path) -> Option<u64> {
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail * room.f_frsize)
}

/// Nobody tells.
#[cfg(not(unix))]
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

/// Our own program, to be started again: also if a newer one was built in its place meanwhile.
#[cfg(target_os = "linux")]
pub fn ourselves() -> io::Result<PathBuf> {
    // The process that is about to become another program is still ours when this is looked up.
    let program = Path::new("/proc/self/exe");
    if program.exists() { Ok(program.to_owned()) } else { std::env::current_exe() }
}

/// Our own program, to be started again.
#[cfg(not(target_os = "linux"))]
pub fn ourselves() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// How much memory a process has taken, in MiB; address space that it only keeps for itself, as a task's
/// stack is at first, does not count. None if it has ended, or nobody tells.
#[cfg(target_os = "linux")]
pub fn memory_of(child: &Child) -> Option<u64> {
    let sizes = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).ok()?;
    let pages: u64 = sizes.split_whitespace().nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size() as u64) >> 20)
}

/// Nobody tells.
#[cfg(not(target_os = "linux"))]
pub fn memory_of(_: &Child) -> Option<u64> {
    None
}

/// How much memory the processes of a group have taken, in MiB; what they share with others, as a library's code, does
/// not count. None if nobody tells.
#[cfg(target_os = "linux")]
pub fn memory_of_group(leader: u32) -> Option<u64> {
    let leader = leader.to_string();
    let pages_of = |process: &std::path::Path| {
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        // A program's name stands in parentheses and may be anything. Behind it: state, parent, group.
        if stat.rsplit_once(')')?.1.split_whitespace().nth(2)? != leader {
            return None;
        }
        let sizes = std::fs::read_to_string(process.join("statm")).ok()?;
        let mut sizes = sizes.split_whitespace().skip(1).map(|size| size.parse::<u64>().ok());
        let (all, shared) = (sizes.next()??, sizes.next()??);
        Some(all.saturating_sub(shared))
    };
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let pages: u64 = processes.filter_map(|process| pages_of(&process.path())).sum();
    Some((pages * rustix::param::page_size() as u64) >> 20)
}

/// Nobody tells.
#[cfg(not(target_os = "linux"))]
pub fn memory_of_group(_: u32) -> Option<u64> {
    None
}

/// How much memory there is for all processes, in MiB: this machine's, or less if we are in a container that has less.
/// None if nobody tells.
#[cfg(target_os = "linux")]
pub fn memory_of_machine() -> Option<u64> {
    let all = std::fs::read_to_string("/proc/meminfo").ok()?;
    let all =
        all.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    let all = all?.parse::<u64>().ok()? >> 10;
    let ours = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    // It may be the word for no limit.
    let ours = ours.and_then(|bytes| bytes.trim().parse::<u64>().ok()).map(|bytes| bytes >> 20);
    Some(ours.map_or(all, |ours| ours.min(all)))
}

/// Nobody tells.
#[cfg(not(target_os = "linux"))]
pub fn memory_of_machine() -> Option<u64> {
    None
}

/// The cores that this process may use; none if it does not matter.
#[cfg(target_os = "linux")]
pub fn cores() -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};

    let Ok(set) = sched_getaffinity(None) else { return Vec::new() };
    (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()
}

/// None: a thread cannot be kept on one.
#[cfg(not(target_os = "linux"))]
pub fn cores() -> Vec<usize> {
    Vec::new()
}

/// Keeps this thread, and what is started from it, on one core. If that cannot be had, the runs are
/// slower and nothing else.
#[cfg(target_os = "linux")]
pub fn stay_on(core: usize) {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut set = CpuSet::new();
    set.set(core);
    let _ = sched_setaffinity(None, &set);
}

/// Nothing: there are no [`cores`] to stay on.
#[cfg(not(target_os = "linux"))]
pub fn stay_on(_: usize) {}

/// How long the threads of a process have run together, and whether one of them could run now.
#[cfg(target_os = "linux")]
pub fn work_of(child: &Child) -> (Duration, bool) {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", child.id()));
    let read =
        |task: &PathBuf, name: &str| std::fs::read_to_string(task.join(name)).unwrap_or_default();
    let (mut ran_ns, mut can_run) = (0, false);
    for task in tasks.into_iter().flatten().flatten().map(|task| task.path()) {
        let times = read(&task, "schedstat");
        ran_ns += times.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
        // The name before it may have any letters.
        can_run |=
            read(&task, "stat").rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('R'));
    }
    (Duration::from_nanos(ran_ns), can_run)
}

/// Nobody tells.
#[cfg(not(target_os = "linux"))]
pub fn work_of(_: &Child) -> (Duration, bool) {
    (Duration::ZERO, false)
}

/// What the threads of a process are doing.
#[cfg(target_os = "linux")]
pub fn threads_of(child: &Child) -> String {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", child.id())) else {
        return "  they cannot be looked at".to_string();
    };
    let line = |task: PathBuf| {
        let read = |name: &str| std::fs::read_to_string(task.join(name)).unwrap_or_default();
        let status = read("status");
        let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or("?");
        let (name, place) = (read("comm"), read("wchan"));
        format!("  thread `{}`: {}, in {}", name.trim(), state.trim(), place.trim())
    };
    let lines: Vec<String> = tasks.flatten().map(|task| line(task.path())).collect();
    lines.join("\n")
}

/// What the threads of a process are doing: nobody tells.
#[cfg(not(target_os = "linux"))]
pub fn threads_of(_: &Child) -> String {
    "  they cannot be looked at on this system".to_string()
}

/// A new folder for temporary files that no other user can look into.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn private_folder() -> io::Result<TempDir> {
    let folder = &mut tempfile::Builder::new();
    #[cfg(unix)]
    folder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    folder.tempdir()
}

/// The user and the group that own nothing.
pub const NOBODY: u32 = 65534;

/// True if we are root, and may be anybody else.
#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// False: there is no root.
#[cfg(not(unix))]
pub fn is_root() -> bool {
    false
}

/// Gives a file or a folder to [`NOBODY`].
///
/// # Errors
/// If we are not root.
#[cfg(unix)]
pub fn give_to_nobody(path: &Path) -> io::Result<()> {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))
}

/// Lets [`NOBODY`], and no other user, through a folder of ours to what is in it, without looking around.
///
/// # Errors
/// If we are not root.
#[cfg(unix)]
pub fn let_nobody_through(folder: &Path) -> io::Result<()> {
    std::os::unix::fs::chown(folder, None, Some(NOBODY))?;
    set_mode(folder, 0o710)
}

/// Lets any user start a program of ours, whatever we let others do with new files. Folders are in the way of who is
/// not to.
///
/// # Errors
/// If it is not ours.
#[cfg(unix)]
pub fn let_all_run(program: &Path) -> io::Result<()> {
    set_mode(program, 0o755)
}

/// Lets any user read all that is in a folder of ours, whatever we let others do with new files. Folders around it are
/// in the way of who is not to.
///
/// # Errors
/// If it is not ours.
#[cfg(unix)]
pub fn let_all_read(folder: &Path) -> io::Result<()> {
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        set_mode(&folder, 0o755)?;
        for entry in std::fs::read_dir(&folder)? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() {
                set_mode(&path, 0o644)?;
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Nothing: who runs a test is who we are.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn give_to_nobody(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Nothing: who runs a test is who we are.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn let_nobody_through(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Nothing: who runs a test is who we are.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn let_all_run(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Nothing: who runs a test is who we are.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn let_all_read(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The number of the signal that no process can refuse.
pub(crate) const KILL: i32 = 9;

/// The number of the signal that ended a process, if one did.
#[cfg(unix)]
pub fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// Whether a process was ended by what Ctrl-C, a shutdown or the end of a session sends.
pub(crate) fn was_interrupted(status: ExitStatus) -> bool {
    /// The numbers of SIGHUP, SIGINT and SIGTERM.
    const SIGNALS: [i32; 3] = [1, 2, 15];
    signal(status).is_some_and(|number| SIGNALS.contains(&number))
}

/// None: there are no signals.
#[cfg(not(unix))]
pub fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// The one way to write the path of something that exists.
#[cfg(not(windows))]
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// The one way to write the path of something that exists, in the form that cargo uses: `C:\x` and
/// not `\\?\C:\x`.
#[cfg(windows)]
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    let path = path.canonicalize()?;
    let plain = path.to_str().and_then(|path| path.strip_prefix(r"\\?\"));
    Ok(match plain {
        Some(plain) if !plain.starts_with("UNC") => plain.into(),
        _ => path,
    })
}
