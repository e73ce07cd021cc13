// Draw a frame of the chosen run in the plane, if it has a film.
const [i, j] = [Number(setting.value), Number(seed.value)];
const filmed = j < count;
slider.disabled = toggle.disabled = !filmed;
const frame = filmed ? slider.value : updates.length - 1;
for (const span of now) span.location = updates[frame];

const [left, right, bottom, top] = valuesAt(limits, i);
drawn.x_range.setv({start: left, end: right});
drawn.y_range.setv({start: bottom, end: top});
const coordinates = (flat, axis) => flat.filter((_, k) => k % 2 === axis);
const samples = valuesAt(target, i);
real.data = {x: coordinates(samples, 0), y: coordinates(samples, 1)};
if (!filmed) {
  generated.data = {x: [], y: []};
  shade.data.image[0].fill(NaN);
  shade.change.emit();
  document.getElementById("frame").textContent =
    `Points and D are kept of the first ${count} seeds only.`;
  return;
}

const [none_place, none_level] = [65535, 255];
const scaled = (whole, none, low, high) =>
  whole === none ? NaN : low + (high - low) * whole / (none - 1);
const flat = valuesAt(points, i, j, frame);
const x = coordinates(flat, 0).map((whole) => scaled(whole, none_place, left, right));
const y = coordinates(flat, 1).map((whole) => scaled(whole, none_place, bottom, top));
generated.data = {x, y};
const [image] = shade.data.image;
image.set(valuesAt(shades, i, j, frame).map((whole) => scaled(whole, none_level, 0, 1)));
const [w, h] = [(right - left) / (side - 1), (top - bottom) / (side - 1)];
Object.assign(shade.data, {
  x: [left - w / 2], y: [bottom - h / 2], dw: [w * side], dh: [h * side],
});
shade.change.emit();
bar.title = shade_labels[i];

const outside = x.filter((each, k) => Number.isNaN(each + y[k])).length;
document.getElementById("frame").textContent =
  outside > 0 ? `${outside} of ${x.length} points outside, or not finite` : "";
