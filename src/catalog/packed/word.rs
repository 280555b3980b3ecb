//! The word of a key: which key of its subscription it is, whether its scope
//! alone decides, and that scope.

use crate::catalog::{ApiIndex, HeldKey, KeySlot, ProductIndex, Target};

const SECONDARY: u32 = 1 << 31;
const RETIRED: u32 = 1 << 30;
const SETTLED: u32 = 1 << 29;
const KIND: u32 = 27;
const INDEX: u32 = (1 << KIND) - 1;

pub(super) fn scope(target: Target) -> u32 {
    match target {
        Target::Service => 0,
        Target::AllApis => 1 << KIND,
        Target::Api(ApiIndex(index)) => 2 << KIND | index & INDEX,
        Target::Product(ProductIndex(index)) => 3 << KIND | index & INDEX,
    }
}

pub(super) fn target(word: u32) -> Target {
    match word >> KIND & 3 {
        0 => Target::Service,
        1 => Target::AllApis,
        2 => Target::Api(ApiIndex(word & INDEX)),
        _ => Target::Product(ProductIndex(word & INDEX)),
    }
}

pub(super) fn key(held: HeldKey) -> u32 {
    let slot = match held.slot {
        KeySlot::Primary => 0,
        KeySlot::Secondary => SECONDARY,
    };
    slot | if held.retired { RETIRED } else { 0 }
}

pub(super) fn held(word: u32) -> HeldKey {
    let slot = if word & SECONDARY == 0 {
        KeySlot::Primary
    } else {
        KeySlot::Secondary
    };
    let retired = word & RETIRED != 0;
    HeldKey { slot, retired }
}

/// Active, without limits in time, with exactly that scope.
pub(super) fn settled(scope: u32) -> u32 {
    SETTLED | scope
}

pub(super) fn is_settled(word: u32) -> bool {
    word & SETTLED != 0
}
