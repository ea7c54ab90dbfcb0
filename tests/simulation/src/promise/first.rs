//! Alarms first: in calm an alarm is at the centre soon after it became durable, whatever else waits.

use crate::limits::FIRST_WITHIN_MS;
use crate::world::World;

/// An alarm became durable some time ago, by a process that may have died since.
pub fn due(world: &mut World, (gateway, life): (usize, u64), origin: String, kind: String) {
    if world.lives(gateway, life) && !world.centre.facts.contains_key(&(origin.clone(), kind)) {
        let what = format!("{origin} is durable at gateway {gateway} for {FIRST_WITHIN_MS} ms and not at the centre");
        world.findings.note("alarms first", &what);
    }
}
