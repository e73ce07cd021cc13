// Show the settings that have the chosen values: rows of the table, and rows of dots.
const matches = (number) =>
  selects.every((select, i) => select.value === "all" || select.value === values[i][number - 1]);

const rows = [...document.querySelectorAll("#settings tbody tr")];
for (const row of rows) row.hidden = !matches(Number(row.dataset.number));
const count = rows.filter((row) => !row.hidden).length;
document.getElementById("count").textContent = `${count} of ${rows.length} settings`;

const places = new Map();
const names = new Map();
medians.data.number.forEach((number, i) => {
  if (!matches(number)) return;
  names.set(places.size, labels[i]);
  places.set(number, places.size);
});
const place = (number) => places.has(number) ? places.get(number) : NaN;
medians.data.y = Float32Array.from(medians.data.number, place);
runs.data.y = Float32Array.from(runs.data.number, (number, i) => place(number) + runs.data.offset[i]);
medians.change.emit();
runs.change.emit();
figure.left[0].ticker.ticks = [...names.keys()];
figure.left[0].major_label_overrides = names;
figure.y_range.start = Math.max(places.size, 1) - 0.5;
figure.height = margin + row * places.size;
