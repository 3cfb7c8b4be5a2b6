// Tables that sort and copy. The page reads the same without it.
const number = (cell) => {
  const text = (cell.dataset.value ?? cell.textContent).trim();
  const found = text.match(/^[-+]?[\d.]+(?:e[-+]?\d+)?/i);
  return found ? parseFloat(found[0]) : text === "-" ? -Infinity : null;
};
for (const table of document.querySelectorAll("table")) {
  const rows = [...table.rows], head = rows[0];
  if (rows.length < 4 || [...head.cells].some((c) => c.tagName !== "TH")) continue;
  if (head.cells.length > 9) table.classList.add("many");
  [...head.cells].forEach((th, column) => {
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.append(...th.childNodes);
    th.append(button);
    th.setAttribute("aria-sort", "none");
    button.onclick = () => {
      const up = th.getAttribute("aria-sort") !== "ascending";
      for (const other of head.cells) other.setAttribute("aria-sort", "none");
      th.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => number(row.cells[column]) ?? row.cells[column].textContent;
      const body = [...table.rows].slice(1).sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return (up ? 1 : -1) * (typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? -1 : 1);
      });
      body.forEach((row) => head.parentElement.append(row));
    };
  });
  const copy = Object.assign(document.createElement("button"), { type: "button", textContent: "copy table" });
  copy.onclick = async () => {
    const text = [...table.rows].map((r) => [...r.cells].map((c) => c.dataset.value ?? c.textContent.trim()).join("\t")).join("\n");
    await navigator.clipboard.writeText(text);
    copy.textContent = "copied";
  };
  const tools = Object.assign(document.createElement("div"), { className: "tools" });
  tools.append(copy);
  table.parentElement.after(tools);
}
