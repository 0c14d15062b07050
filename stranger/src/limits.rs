//! What of a plan the stranger cannot serve: such a plan is refused, and says why.

use squall_scenarios::profile::Plan;
use squall_sim::Fault;

/// Whether the stranger can carry a plan out.
///
/// # Errors
/// Says what it cannot, and what would be right.
pub fn check(plan: &Plan) -> Result<(), String> {
    let (setup, workload) = (&plan.setup, &plan.workload);
    let refusals = [
        (setup.witnesses > 0, "cluster: witnesses: the crate has none; expected \"0/1\""),
        (
            setup.servers > setup.voters,
            "cluster: membership: the adapter changes none; expected \"0/1\", and as many processes as voters",
        ),
        (
            setup.raft.lease_drift_ppm.is_some(),
            "cluster: leases: the crate's know no bound on drift; expected \"0/1\"",
        ),
        (setup.priorities > 1, "cluster: priorities: they mean another thing to the crate; expected 1"),
        (workload.session_clients > 0, "workload: sessions: they are of Squall's replica; expected \"0/1\""),
    ];
    if let Some((_, what)) = refusals.into_iter().find(|(is_refused, _)| *is_refused) {
        return Err(what.to_owned());
    }
    plan.faults.iter().try_for_each(|event| check_fault(&event.fault, setup.servers))
}

fn check_fault(fault: &Fault, servers: u32) -> Result<(), String> {
    let refuse = |what: &str| Err(format!("{what}; the crate repairs no disk: expected \"0/1\" in `swarm`"));
    match fault {
        Fault::Rot { .. } => refuse("a disk rots"),
        Fault::Ruin { .. } => refuse("a disk is ruined"),
        Fault::OldImage { .. } => refuse("a disk forgets"),
        Fault::LoseDisk { .. } => refuse("a disk is lost"),
        Fault::Administer { command, .. } if *command >= u64::from(servers) => {
            Err(format!("an operator's command is {command}; only transfers are known, below {servers}"))
        }
        Fault::Administer { .. }
        | Fault::Partition { .. }
        | Fault::Flapping { .. }
        | Fault::Clog { .. }
        | Fault::Swizzle { .. }
        | Fault::Crash { .. }
        | Fault::CrashAll { .. }
        | Fault::CrashLoop { .. }
        | Fault::Pause { .. }
        | Fault::DiskStall { .. }
        | Fault::DiskError { .. }
        | Fault::ClockRate { .. }
        | Fault::ClockFreeze { .. }
        | Fault::ClockJump { .. } => Ok(()),
    }
}
