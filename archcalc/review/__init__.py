"""What people state and build: `audit` checks claims, `explain` traces figures back, `lint` finds faults."""
