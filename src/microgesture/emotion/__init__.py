"""Emotion from behaviour: predict from face, context and gestures whether the person of a recording has won or lost."""
