"use strict";
// All of this only adds: the page says the same without it.
(() => {
  const find = (id) => document.getElementById(id);
  const table = find("matrix");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const text = (row, column) => row.cells[column].textContent;
    const count = (row, column) =>
      (text(row, column).match(/[\d,]+/g) || []).reduce((sum, each) => sum + Number(each.replaceAll(",", "")), 0);

    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      const words = head.classList.contains("text");
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const order = now ? (now === "ascending" ? "descending" : "ascending") : words ? "ascending" : "descending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const compare = words
          ? (a, b) => text(a, column).localeCompare(text(b, column), "en")
          : (a, b) => count(a, column) - count(b, column);
        rows.sort((a, b) => sign * compare(a, b) || text(a, 0).localeCompare(text(b, 0), "en"));
        body.append(...rows);
      });
    });

    const narrow = () => {
      const wanted = find("find").value.trim().toLowerCase();
      const need = find("need").value;
      const denied = find("only-denied").checked;
      let shown = 0;
      for (const row of rows) {
        const fits = text(row, 0).toLowerCase().includes(wanted) &&
          (!need || row.classList.contains(need)) && (!denied || row.querySelector(".denied"));
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      find("found").textContent = `${shown} of ${rows.length} calls`;
    };
    const filters = find("filters");
    filters.hidden = false;
    filters.addEventListener("input", narrow);
    filters.addEventListener("submit", (event) => event.preventDefault());
    narrow();
  }

  const copy = find("copy");
  if (copy) {
    copy.parentElement.hidden = false;
    copy.addEventListener("click", async () => {
      const profile = find("generated");
      let said = "Copied.";
      try {
        await navigator.clipboard.writeText(profile.textContent);
      } catch {
        getSelection().selectAllChildren(profile);
        said = "Selected: copy it with the keyboard.";
      }
      find("copied").textContent = said;
    });
  }
})();
