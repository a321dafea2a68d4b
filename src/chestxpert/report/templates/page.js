"use strict";
// Sorting and filtering of what the page already shows. Without this script everything stands there, in its own order.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const status = document.getElementById("status");

  // "0.742 [0.711, 0.771]" is sorted by 0.742, "3 min 05 s" by its seconds, "4.04 M" by what it stands for.
  const units = { h: 3600, min: 60, s: 1, k: 1e3, M: 1e6, G: 1e9 };
  const number = words => {
    const plain = words.replace(/\u2212/g, "-").replace(/[\u00a0\u2009\u202f]/g, "").trim();
    const below = plain.startsWith("<") ? 1e-9 : 0;
    const times = [...plain.matchAll(/(\d+(?:\.\d+)?) ?(h|min|s)\b/g)];
    if (times.length) return times.reduce((sum, [, value, unit]) => sum + value * units[unit], 0);
    const found = plain.match(/^[<+ ]*(-?\d+(?:\.\d+)?)(?: ?([kMG])\b)?/);
    return found ? found[1] * (units[found[2]] ?? 1) - below : null;
  };

  const compare = (a, b, numeric) => numeric ? a - b : a.localeCompare(b, "en", { numeric: true });

  const sort = (table, heads, column, own) => {
    const head = heads[column], numeric = head.classList.contains("n"), body = table.tBodies[0];
    // Figures start with the largest, words with A; a third press brings the table's own order back.
    const orders = numeric ? ["descending", "ascending"] : ["ascending", "descending"];
    const order = orders[orders.indexOf(head.getAttribute("aria-sort")) + 1];
    heads.forEach(each => each.removeAttribute("aria-sort"));
    const sign = order === "ascending" ? 1 : -1;
    const keyed = own.map(row => {
      const words = row.cells[column].textContent.trim();
      return [row, numeric ? number(words) : words || null];
    });
    if (order) {
      head.setAttribute("aria-sort", order);
      const known = keyed.filter(([, value]) => value !== null).sort((a, b) => sign * compare(a[1], b[1], numeric));
      // What is not defined is neither large nor small: last, whichever way.
      body.append(...known.map(([row]) => row), ...keyed.filter(([, value]) => value === null).map(([row]) => row));
    } else {
      body.append(...own);
    }
    status.textContent = order ? `Sorted by ${head.textContent}, ${order}.` : "In its own order.";
  };

  for (const table of all("table:not(.facts-table)")) {
    const own = table.tBodies.length ? [...table.tBodies[0].rows] : [], heads = [...(table.tHead?.rows ?? [])].pop();
    if (own.length < 2 || !heads) continue;
    const cells = [...heads.cells];
    cells.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, cells, column, own));
      head.append(button);
    });
  }

  // Filters: names that are not to be seen, and everything that is about one of them.
  const form = document.getElementById("filters");
  if (form) {
    const boxes = all("input[name=recipe]", form), groups = all("input[name=group]", form);
    const findings = new Set(groups.flatMap(each => each.dataset.findings.split("|")));
    const recipes = new Set(boxes.map(box => box.value));
    const named = words => findings.has(words) || recipes.has(words.split("+")[0]);
    const parts = all("[data-about]").map(part => [part, part.dataset.about.split("|").filter(named)]);
    const rows = all("tbody tr").map(row =>
      [row, [...row.cells].filter(cell => !cell.classList.contains("n")).map(cell => cell.textContent.trim()).filter(named)]);
    const columns = all("table:not(.grouped) thead th").filter(head => named(head.textContent.trim())).map(head =>
      [head, [...head.closest("table").rows].map(row => row.cells[head.cellIndex])]);

    const apply = () => {
      const seen = new Set(groups.find(each => each.checked).dataset.findings.split("|"));
      boxes.filter(box => box.checked).forEach(box => seen.add(box.value));
      // A line that was made of a recipe goes with it: flat-basic+platt with flat-basic.
      const off = name => !seen.has(findings.has(name) ? name : name.split("+")[0]);
      parts.forEach(([part, names]) => part.classList.toggle("off", names.some(off)));
      rows.forEach(([row, names]) => row.classList.toggle("off", names.some(off)));
      columns.forEach(([head, cells]) =>
        cells.forEach(cell => cell?.classList.toggle("off", off(head.textContent.trim()))));
      const shown = boxes.filter(box => box.checked).length, group = groups.find(each => each.checked).value;
      const words = group === "all" ? "all findings" : `${group} findings`;
      document.getElementById("filtered").textContent = `${shown} of ${boxes.length} recipes, ${words}`;
      document.body.classList.toggle("filtering", shown < boxes.length || group !== "all");
      status.textContent = `Shown: ${shown} of ${boxes.length} recipes, ${words}.`;
    };
    form.addEventListener("change", apply);
    form.addEventListener("submit", event => event.preventDefault());
    all("[data-choose]", form).forEach(button => button.addEventListener("click", () => {
      const chosen = button.dataset.choose;
      boxes.forEach(box => { box.checked = chosen === "all" || (chosen === "best" && "best" in box.dataset); });
      if (chosen === "all") groups[0].checked = true;
      apply();
    }));
    form.hidden = false;
    form.querySelector("details").open = matchMedia("(min-width: 1100px)").matches && boxes.length < 12;
  }

  // On paper nothing can be unfolded, nor moved to and fro: a table too wide for a page stands there in parts, each with
  // its first columns. The width is that of A4 less the page's margins, in CSS pixels.
  const PAPER = 688;
  const part = table => {
    const heads = [...[...table.tHead.rows].pop().cells];
    table.style.width = "1px";
    const widths = heads.map(head => head.offsetWidth);
    table.style.width = "";
    const first = Math.max(heads.findIndex(head => head.classList.contains("n")), 1);
    const sum = some => some.reduce((total, column) => total + widths[column], 0);
    const columns = [...heads.keys()], kept = columns.slice(0, first), rest = columns.slice(first);
    if (sum(columns) <= PAPER) return [];
    const filled = room => rest.reduce((parts, column) => {
      const last = parts[parts.length - 1];
      if (last.length && sum(last) + widths[column] > room) parts.push([column]); else last.push(column);
      return parts;
    }, [[]]);
    // As few parts as there have to be, and these of about one width.
    const room = PAPER - sum(kept), widest = Math.max(...rest.map(column => widths[column]));
    const parts = filled(Math.min(room, sum(rest) / filled(room).length + widest / 2));
    table.classList.add("parted");
    const copies = parts.map((some, place) => {
      const copy = table.cloneNode(true), shown = new Set([...kept, ...some]);
      for (const row of copy.rows) [...row.cells].forEach((cell, column) => shown.has(column) || cell.remove());
      if (copy.caption) copy.caption.append(` (${place + 1} of ${parts.length})`);
      copy.classList.replace("parted", "part-of");
      return copy;
    });
    table.after(...copies);
    return copies;
  };

  let folded = [], copies = [];
  addEventListener("beforeprint", () => {
    folded = all("details:not([open])");
    folded.forEach(each => { each.open = true; });
    document.body.classList.add("paper");
    copies = all("table:not(.grouped, .facts-table)").filter(table => table.tHead).flatMap(part);
  });
  addEventListener("afterprint", () => {
    copies.forEach(each => each.remove());
    all(".parted").forEach(each => each.classList.remove("parted"));
    document.body.classList.remove("paper");
    folded.forEach(each => { each.open = false; });
  });
})();
