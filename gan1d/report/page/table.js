// Sort the table of settings by the column whose head is pressed; pressed again, the other way.
const table = document.getElementById("settings");
const words = {nan: -1, inf: Number.MAX_VALUE};  // no number comes last, with the lowest
const number = (text) => text in words ? words[text] : Number(text);
const heads = [...table.tHead.rows[0].cells];
heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
  const order = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
  const sign = order === "ascending" ? 1 : -1;
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const compared = (a, b) => {
    const [one, other] = [a, b].map((row) => row.cells[column].dataset.key);
    return Number.isNaN(number(one) - number(other))
      ? one.localeCompare(other) : number(one) - number(other);
  };
  table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => sign * compared(a, b)));
}));
