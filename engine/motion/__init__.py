"""From poses to movement: validation, smoothing, angles, scale, gait, strides, asymmetry."""
