// Draw the profiles of the chosen settings, and their differences, a colour each.
const none = [NaN, NaN];  // BokehJS hangs on steps of no points
const nothing = {x: none, estimate: none, low: none, high: none};
for (const [slots, items, table] of drawings) {
  slots.forEach((slot, k) => {
    const i = Number(chosen.value[k]);
    items[k].visible = k < chosen.value.length;
    items[k].label = {value: items[k].visible ? labels[i] : ""};
    if (items[k].visible) {
      const [x, estimate, low, high] = [0, 1, 2, 3].map((part) => valuesAt(table, i, part));
      slot.data = {x, estimate, low, high};
    } else slot.data = nothing;
  });
}
