"""What GIMP gets from us: every procedure, for menus, keys and scripts."""
