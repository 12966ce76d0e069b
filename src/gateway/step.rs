//! The steps of the walk by name, for who asks where it stopped.

/// Where a visit stands. Its name goes to people and over the wire, its number nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Which API and stage.
    #[default]
    Place,
    /// Which resource and method.
    Route,
    /// The API's resource policy.
    Policy,
    /// The method's authorizer.
    Authorize,
    /// The API key.
    Key,
    /// Quota and throttles.
    Admit,
    /// The way from the edge to a region that serves the API.
    Forward,
    /// The stage's cache.
    Cache,
    /// The request validator.
    Validate,
    /// The request's mapping.
    Map,
    /// The call of the integration.
    Integrate,
    /// The answer's mapping.
    Answer,
}

/// All of them in the order of the walk, with their names.
const STEPS: [(Step, &str); 12] = [
    (Step::Place, "place"),
    (Step::Route, "route"),
    (Step::Policy, "policy"),
    (Step::Authorize, "authorize"),
    (Step::Key, "key"),
    (Step::Admit, "admit"),
    (Step::Forward, "forward"),
    (Step::Cache, "cache"),
    (Step::Validate, "validate"),
    (Step::Map, "map"),
    (Step::Integrate, "integrate"),
    (Step::Answer, "answer"),
];

impl Step {
    /// Its name: one word in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        STEPS[self as usize].1
    }

    /// The step with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Step> {
        STEPS.iter().find(|(_, known)| *known == name).map(|(step, _)| *step)
    }

    /// All steps in the order of the walk.
    pub fn all() -> impl Iterator<Item = Step> {
        STEPS.iter().map(|(step, _)| *step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_stand_in_the_order_of_the_walk_and_are_found_by_their_names() {
        for (number, step) in Step::all().enumerate() {
            assert_eq!(step as usize, number);
            assert_eq!(Step::named(step.name()), Some(step));
        }
        assert!(Step::Admit < Step::Forward && Step::Forward < Step::Validate);
        assert_eq!(Step::named("chache"), None);
    }
}
