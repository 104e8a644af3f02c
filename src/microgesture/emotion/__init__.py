"""Emotion from behaviour: whether the person of a recording has won or lost, told by face, context and gestures."""
