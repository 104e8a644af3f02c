"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const numbers = head.classList.contains("number");
    const before = head.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : numbers;
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const keyed = [...body.rows].map((row) => {
      const cell = row.cells[column];
      return [numbers ? parseFloat(cell.dataset.value) : cell.textContent, row];
    });
    const known = keyed.filter(([key]) => key === key && key !== "");
    const unknown = keyed.filter(([key]) => key !== key || key === "");
    const words = new Intl.Collator("en", { numeric: true });
    known.sort(([a], [b]) => (descending ? -1 : 1) * (numbers ? a - b : words.compare(a, b)));
    body.append(...known.concat(unknown).map(([, row]) => row));
  }));
}
for (const order of document.querySelectorAll("select.order")) {
  order.addEventListener("change", () => {
    const numbers = order.selectedOptions[0].dataset.order.split(" ");
    const inOrder = (cells) => {
      const byClass = new Map(cells.map((cell) => [cell.dataset.class, cell]));
      return numbers.map((number) => byClass.get(number));
    };
    const table = order.closest("p").nextElementSibling.querySelector("table");
    for (const row of table.rows) row.append(...inOrder([...row.cells].slice(1)));
    table.tBodies[0].append(...inOrder([...table.tBodies[0].rows]));
  });
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
