//! Ensures that no API of the catalog lets in requests that Kong would refuse.

use crate::import::kong::access::Access;
use crate::import::kong::free_id;
use crate::import::kong::routes::{Route, RouteApi, api, is_plain, plain_paths};
use crate::import::{LeftOut, report};

/// Narrows each API to the callers of the routes that Kong may prefer to its path:
/// routes with a regular expression or with conditions, and the route that takes a
/// request if the conditions do not hold.
pub(super) fn narrow(routes: &[Route<'_>], apis: &mut Vec<RouteApi>, left_out: &mut Vec<LeftOut>) {
    for route in routes.iter().filter(|route| route.access != Access::OPEN) {
        let has_conditions = !route.conditions.is_empty();
        if route.paths.is_empty() {
            narrow_below("", false, route, apis, left_out);
        }
        for path in &route.paths {
            if !is_plain(path) {
                let (prefix, is_whole) = literal(path);
                close(prefix, is_whole, route, apis);
                narrow_below(prefix, !is_whole, route, apis, left_out);
            } else if has_conditions {
                narrow_below(path, false, route, apis, left_out);
                narrow_to_shorter(path, apis, left_out);
            }
        }
    }
    for route in routes {
        for path in plain_paths(route) {
            report_border(path, route, apis, left_out);
        }
    }
}

/// Without its conditions, Kong takes a request for the route with the next shorter
/// path.
fn narrow_to_shorter(path: &str, apis: &mut [RouteApi], left_out: &mut Vec<LeftOut>) {
    let path = path.trim_end_matches('/');
    let shorter = apis.iter().filter(|known| {
        let other = known.api.path();
        other.len() < path.len() && path.starts_with(other)
    });
    let shorter = shorter.max_by_key(|known| known.api.path().len());
    let Some(shorter) = shorter.map(|known| known.access.clone()) else {
        return;
    };
    for known in apis.iter_mut().filter(|known| known.api.path() == path) {
        let narrowed = known.access.narrowed(&shorter);
        if narrowed != known.access {
            known.access = narrowed;
            let reason = "Kong decides on its requests by a shorter path if its conditions do \
                          not hold, and that lets fewer callers in";
            report(left_out, "openings", known.api.id(), reason);
        }
    }
}

/// Reports paths that belong to another API here. A prefix of Kong can end inside a
/// segment, one of a catalog cannot: Kong's `/orders` also takes `/orders2`, which
/// belongs to the enclosing API here. Kong's `/orders/` does not take `/orders`, which
/// belongs to the same API here.
fn report_border(path: &str, route: &Route<'_>, apis: &[RouteApi], left_out: &mut Vec<LeftOut>) {
    let trimmed = path.trim_end_matches('/');
    let Some(end) = trimmed.rfind('/') else {
        return;
    };
    let folder = &trimmed[..end];
    let contains = |known: &&RouteApi| {
        let rest = folder.strip_prefix(known.api.path());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let around = apis.iter().filter(contains);
    let around = around.max_by_key(|known| known.api.path().len());
    let is_wider = |here: &Access, there: &Access| here.narrowed(there) != *here;
    let (wider, reason) = match (path.ends_with('/'), around) {
        (false, Some(around)) if is_wider(&around.access, &route.access) => {
            let and_more = format!("{path}2");
            let what = format!("Kong's {path:?} also takes {and_more:?} and the like");
            (
                around,
                format!("{what}: here it lets more callers in there"),
            )
        }
        (true, around) => {
            let own = apis.iter().find(|known| known.api.path() == trimmed);
            let Some(own) = own.filter(|own| {
                let around = around.map_or(&Access::CLOSED, |around| &around.access);
                is_wider(&own.access, around)
            }) else {
                return;
            };
            (
                own,
                format!("Kong's {path:?} does not take {trimmed:?}: here it lets callers in there"),
            )
        }
        _ => return,
    };
    report(left_out, "openings", wider.api.id(), reason);
}

/// Closes a prefix of whole segments that only a regular expression takes.
fn close(prefix: &str, is_whole: bool, route: &Route<'_>, apis: &mut Vec<RouteApi>) {
    let is_known = apis.iter().any(|known| known.api.path() == prefix);
    if is_whole && !prefix.is_empty() && !is_known {
        let id = free_id(&route.name, |id| {
            apis.iter().any(|known| known.api.id() == id)
        });
        let api = api(route, &id, prefix);
        let access = Access::CLOSED;
        apis.push(RouteApi { api, access });
    }
}

fn narrow_below(
    prefix: &str,
    also_around: bool,
    route: &Route<'_>,
    apis: &mut [RouteApi],
    left_out: &mut Vec<LeftOut>,
) {
    for known in apis.iter_mut() {
        let path = known.api.path();
        if !(path.starts_with(prefix) || also_around && prefix.starts_with(path)) {
            continue;
        }
        let narrowed = known.access.narrowed(&route.access);
        if narrowed != known.access {
            known.access = narrowed;
            let name = &route.name;
            let reason =
                format!("route {name} takes some of its requests, and lets fewer callers in");
            report(left_out, "openings", known.api.id(), reason);
        }
    }
}

/// The literal prefix of all paths that a regular expression matches, and whether it
/// ends with a whole segment.
fn literal(path: &str) -> (&str, bool) {
    let path = path.strip_prefix('~').unwrap_or(path);
    let path = path.strip_prefix('^').unwrap_or(path);
    if path.contains('|') {
        return ("", false);
    }
    let special = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_'));
    let Some(end) = path.find(special) else {
        return (path.trim_end_matches('/'), path.ends_with('/'));
    };
    // `?`, `*` and `{` make the character before them optional.
    let is_optional = path[end..].starts_with(['?', '*', '{']);
    let literal = &path[..end.saturating_sub(usize::from(is_optional))];
    let rest = &path[literal.len()..];
    let is_whole = literal.ends_with('/') || rest == "$" || rest == "/?$";
    (literal.trim_end_matches('/'), is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_is_what_every_match_begins_with() {
        for (expression, expected) in [
            ("~/v1/example/?$", ("/v1/example", true)),
            ("~/v1/(?<id>\\d+)", ("/v1", true)),
            ("~^/a*b", ("", true)),
            ("~/a|/b", ("", false)),
            ("~/a.b", ("/a", false)),
            ("~/plain", ("/plain", false)),
            ("~/plain$", ("/plain", true)),
        ] {
            assert_eq!(literal(expression), expected, "{expression}");
        }
    }
}
