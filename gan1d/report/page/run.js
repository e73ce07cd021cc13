// Show the run of the chosen setting and seed: its dot, what became of it, and its curves.
const [i, j] = [Number(setting.value), Number(seed.value)];
const at = i * seed.options.length + j;
if (dots.selected.indices[0] !== at) dots.selected.indices = [at];
document.getElementById("told").textContent = told[at];

const data = {step: curves.data.step};
names.forEach((name, k) => { data[name] = valuesAt(values[k], i, j); });
curves.data = data;
rests.forEach((span, k) => {
  const rest = valuesAt(rest_values, i, k)[0];
  span.visible = Number.isFinite(rest);
  span.location = span.visible ? rest : 0;
});
const [bottom, top] = valuesAt(perfect, i);
box.visible = Number.isFinite(bottom);
if (box.visible) { box.bottom = bottom; box.top = top; }
