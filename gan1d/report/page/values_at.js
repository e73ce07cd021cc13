// The part of an array at these indices of its first axes, as a plain array.
const valuesAt = (array, ...indices) => {
  const size = array.shape.slice(indices.length).reduce((product, n) => product * n, 1);
  const at = indices.reduce((place, index, axis) => place * array.shape[axis] + index, 0);
  return Array.prototype.slice.call(array, at * size, (at + 1) * size);
};
