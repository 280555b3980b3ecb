//! A slot's word: which key it is, whether the scope in it settles everything,
//! and that scope.

use crate::catalog::{ApiIndex, KeySlot, ProductIndex, Target};

const SECONDARY: u32 = 1 << 31;
const SETTLED: u32 = 1 << 30;
const INDEX: u32 = (1 << 28) - 1;

pub(super) fn scope(target: Target) -> u32 {
    match target {
        Target::Service => 0,
        Target::AllApis => 1 << 28,
        Target::Api(ApiIndex(index)) => 2 << 28 | index & INDEX,
        Target::Product(ProductIndex(index)) => 3 << 28 | index & INDEX,
    }
}

pub(super) fn target(word: u32) -> Target {
    match word >> 28 & 3 {
        0 => Target::Service,
        1 => Target::AllApis,
        2 => Target::Api(ApiIndex(word & INDEX)),
        _ => Target::Product(ProductIndex(word & INDEX)),
    }
}

pub(super) fn key(slot: KeySlot) -> u32 {
    match slot {
        KeySlot::Primary => 0,
        KeySlot::Secondary => SECONDARY,
    }
}

pub(super) fn slot(word: u32) -> KeySlot {
    if word & SECONDARY == 0 {
        KeySlot::Primary
    } else {
        KeySlot::Secondary
    }
}

/// Active, without limits in time, with exactly that scope.
pub(super) fn settled(scope: u32) -> u32 {
    SETTLED | scope
}

pub(super) fn is_settled(word: u32) -> bool {
    word & SETTLED != 0
}
