"""Pictures of sweeps: points with error bars over a closed form."""
