// Draw the chosen run on the line: a frame of its film or, where it has none, its end.
const [i, j] = [Number(setting.value), Number(seed.value)];
const filmed = j < count;
slider.disabled = toggle.disabled = !filmed;
const frame = filmed ? slider.value : updates.length - 1;
for (const span of now) span.location = updates[frame];

const steps = filmed ? valuesAt(edges, i) : valuesAt(end_edges, i);
const top = filmed ? valuesAt(densities, i, j, frame) : valuesAt(ends, i, j);
bars.data = {left: steps.slice(0, -1), right: steps.slice(1), top};
const [grid, density] = [valuesAt(x, i), valuesAt(target_density, i)];
target.data = {x: grid, y: density};
d.data = filmed ? {x: grid, y: valuesAt(d_values, i, j, frame)} : {x: [], y: []};
drawn.x_range.setv({start: grid[0], end: grid[grid.length - 1]});
drawn.y_range.setv({start: 0, end: tallest * Math.max(...density)});
if (filmed) {
  const [low, high] = valuesAt(d_limits, i, j);
  d_range.setv({start: low, end: high});
  right.axis_label = d_labels[i];
}

const inside = top.reduce((sum, each, k) => sum + each * (steps[k + 1] - steps[k]), 0);
const notes = [];
if (!Number.isFinite(inside)) notes.push("nothing finite to draw");
else if (inside <= 0.995) notes.push(`${Math.round(100 * (1 - inside))}% of mass outside`);
const peak = Math.max(...top);
if (peak > drawn.y_range.end) notes.push(`peak of ${peak.toPrecision(3)} cut off`);
if (!filmed) notes.push(`D and a film are kept of the first ${count} seeds only`);
document.getElementById("frame").textContent = notes.join("; ");
