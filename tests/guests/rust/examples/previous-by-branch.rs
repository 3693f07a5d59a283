//! A previous-build getter that compares builds of the same branch.

campanile_guest::previous_build_getter!(test_guests::previous_by_branch);
