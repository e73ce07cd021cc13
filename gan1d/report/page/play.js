// Move the slider from frame to frame until the end or another press.
clearInterval(window.playing);
if (toggle.active) {
  if (slider.value === slider.end) slider.value = 0;
  window.playing = setInterval(() => {
    if (slider.value < slider.end && !slider.disabled) slider.value += 1;
    else toggle.active = false;
  }, 150);
}
