// Selects gestures from candidates as segments.py does, number for number; change both.
// A candidate or segment is {start, end, label, probability, from, to}: frames, a class, 0 to 1, and seconds.
const ROUNDING = 1e-6;

function bestSet(found, threshold) {
  const before = found.map((segment) => {
    let low = 0, high = found.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (found[middle].end < segment.start) low = middle + 1; else high = middle;
    }
    return low;
  });
  const best = [0];
  found.forEach((segment, place) => {
    const evidence = (segment.end - segment.start + 1) * (segment.probability - threshold);
    best.push(Math.max(best[place], best[before[place]] + evidence));
  });
  const chosen = [];
  for (let place = found.length; place;) {
    if (best[place] > best[place - 1]) {
      chosen.push(found[place - 1]);
      place = before[place - 1];
    } else {
      place -= 1;
    }
  }
  return chosen.reverse();
}

function joined(segments, gap) {
  const whole = [];
  for (const one of segments) {
    const last = whole[whole.length - 1];
    if (!last || last.label !== one.label || one.from - last.to > gap + ROUNDING) {
      whole.push(one);
      continue;
    }
    const sizes = [last, one].map((segment) => segment.end - segment.start + 1);
    const probability = (last.probability * sizes[0] + one.probability * sizes[1]) / (sizes[0] + sizes[1]);
    whole[whole.length - 1] = {...last, end: one.end, to: one.to, probability};
  }
  return whole;
}

// join is in seconds, or null to merge nothing.
function findSegments(candidates, threshold, overlap, join) {
  const found = candidates.filter((segment) => segment.probability > threshold);
  const classes = overlap ? [...new Set(found.map((segment) => segment.label))] : [null];
  const sets = classes.map((label) => (overlap ? found.filter((segment) => segment.label === label) : found));
  const segments = sets.flatMap((one) => (join === null ? bestSet(one, threshold) : joined(bestSet(one, threshold), join)));
  return segments.sort((a, b) => a.start - b.start || a.end - b.end || a.label - b.label || a.probability - b.probability);
}
