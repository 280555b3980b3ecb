use crate::words::words;

words! {
    /// The state of a subscription. Only [`State::Active`] opens anything.
    #[derive(Default)]
    #[non_exhaustive]
    pub enum State: "a state" {
        /// In use.
        #[default]
        Active = "active",
        /// Temporarily disabled.
        Suspended = "suspended",
        /// Requested and waiting for approval.
        Submitted = "submitted",
        /// Requested and not approved.
        Rejected = "rejected",
        /// Cancelled by its owner or an administrator.
        Cancelled = "cancelled",
        /// Past its end date.
        Expired = "expired",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn state_is_read_and_another_word_refused_with_the_state_that_was_meant() {
        for state in State::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        for (word, meant) in [
            ("Suspended", Some("suspended")),
            ("canceled", Some("cancelled")),
            ("actve", Some("active")),
            ("on", None),
        ] {
            let error = word.parse::<State>().unwrap_err();
            assert_eq!(error.suggestion(), meant, "{word}");
        }
        let text = "Active".parse::<State>().unwrap_err().to_string();
        assert!(text.ends_with("expired: did you mean `active`?"), "{text}");
    }
}
