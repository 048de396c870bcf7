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

  // A lens for long recordings: the lanes get wider, and the chart scrolls.
  const chart = find("chart");
  if (chart && find("lens")) {
    const zoom = find("zoom");
    const marks = chart.querySelectorAll(".axis line.ruler");
    const mark = chart.querySelector(".axis line.binds, .axis line.binds-early") || marks[0];
    const place = () => Number.parseFloat(mark.getAttribute("x1")) / 100;
    const tracks = () => chart.querySelector(".axis .track").getBoundingClientRect();
    const names = () => chart.querySelector(".axis > span").getBoundingClientRect().width;
    const magnify = (times, at) => {
      zoom.value = times;
      chart.classList.toggle("magnified", times > 1);
      chart.style.setProperty("--zoom", times);
      find("zoomed").textContent = `${times} ×`;
      if (times > 1) {
        chart.tabIndex = 0;
        chart.setAttribute("role", "region");
        chart.setAttribute("aria-label", "Timeline, magnified: scrolls");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) chart.removeAttribute(name);
      }
      chart.scrollLeft = at * tracks().width - (chart.clientWidth - names()) / 2;
    };
    const middle = () => {
      const seen = (chart.clientWidth - names()) / 2;
      return (chart.scrollLeft + seen) / tracks().width;
    };
    find("lens").hidden = false;
    zoom.addEventListener("input", () => magnify(Number(zoom.value), mark && Number(zoom.value) === 2 ? place() : middle()));
    find("to-filter").hidden = !mark;
    find("to-filter").addEventListener("click", () => magnify(Math.max(8, Number(zoom.value)), place()));
  }

  // The picture of this start, to paste elsewhere.
  const card = find("card");
  if (card && find("share")) {
    const picture = card.content.firstElementChild;
    const source = new XMLSerializer().serializeToString(picture);
    const address = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
    const paint = () => new Promise((done, failed) => {
      const image = new Image();
      image.onload = () => {
        const canvas = document.createElement("canvas");
        canvas.width = 1200;
        canvas.height = 630;
        canvas.getContext("2d").drawImage(image, 0, 0);
        canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/png");
      };
      image.onerror = failed;
      image.setAttribute("src", address);
    });
    find("save").href = address;
    find("share").hidden = false;
    for (const button of find("share").querySelectorAll("[data-copy]")) {
      button.addEventListener("click", async () => {
        let said = "Copied.";
        try {
          if (button.dataset.copy === "svg") await navigator.clipboard.writeText(source);
          else await navigator.clipboard.write([new ClipboardItem({ "image/png": paint() })]);
        } catch {
          said = "This browser does not let a page copy it: save it instead.";
        }
        find("shared").textContent = said;
      });
    }
  }
})();
