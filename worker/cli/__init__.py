"""The worker's families of commands, which `semcolor` finds through entry points."""
