// Choose the run whose dot was tapped; of several dots the first.
if (dots.selected.indices.length > 0) {
  const seeds = seed.options.length;
  const at = dots.selected.indices[0];
  seed.value = String(at % seeds);
  setting.value = String(Math.floor(at / seeds));
}
