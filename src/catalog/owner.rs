use std::sync::Arc;

use crate::catalog::{KeySlot, Subscription};

/// The owner of a key.
#[derive(Debug, Clone)]
pub struct KeyOwner {
    subscription: Arc<Subscription>,
    slot: KeySlot,
}

impl KeyOwner {
    /// That subscription, by the key in that slot. Where the subscription has
    /// a key in the slot, its expiry counts.
    #[must_use]
    pub fn new(subscription: impl Into<Arc<Subscription>>, slot: KeySlot) -> Self {
        let subscription = subscription.into();
        Self { subscription, slot }
    }

    /// The subscription.
    #[must_use]
    pub fn subscription(&self) -> &Arc<Subscription> {
        &self.subscription
    }

    pub(crate) fn into_subscription(self) -> Arc<Subscription> {
        self.subscription
    }

    /// Which of its keys.
    #[must_use]
    pub fn slot(&self) -> KeySlot {
        self.slot
    }
}
