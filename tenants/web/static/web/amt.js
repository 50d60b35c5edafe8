/* Comforts. Every page works without them. */
(() => {
  "use strict";

  /* A form is sent once, however often its button is pressed. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || "many" in form.dataset) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.setAttribute("aria-busy", "true");
    }
  });

  /* Coming back with the browser's button finds the form ready again. */
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
    }
  });

  /* The list of errors is read first. */
  document.querySelector("[data-focus]")?.focus();

  /* Lists: choose all, choose a range with Shift, walk with the arrow keys. */
  for (const table of document.querySelectorAll("table[data-pick]")) {
    const boxes = [...table.querySelectorAll("input[type=checkbox][name=case]")];
    const all = table.querySelector("input[data-pick-all]");
    const said = document.querySelector("[data-pick-count]");
    let last = null;

    const tell = () => {
      const count = boxes.filter((box) => box.checked).length;
      for (const box of boxes) box.closest("tr").classList.toggle("amt-table__marked", box.checked);
      if (all) {
        all.checked = count > 0 && count === boxes.length;
        all.indeterminate = count > 0 && count < boxes.length;
      }
      if (said) said.textContent = String(count);
    };

    if (all) {
      all.closest("[hidden]")?.removeAttribute("hidden");
      all.addEventListener("change", () => {
        for (const box of boxes) box.checked = all.checked;
        tell();
      });
    }
    table.addEventListener("click", (event) => {
      const box = event.target.closest("input[name=case]");
      if (!box) return;
      if (event.shiftKey && last) {
        const [from, to] = [boxes.indexOf(last), boxes.indexOf(box)].sort((a, b) => a - b);
        for (const each of boxes.slice(from, to + 1)) each.checked = box.checked;
      }
      last = box;
      tell();
    });
    table.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      const cell = event.target.closest("td, th");
      const row = event.target.closest("tbody tr");
      if (!cell || !row) return;
      const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
      const there = next?.children[cell.cellIndex]?.querySelector("a, input");
      if (!there) return;
      event.preventDefault();
      there.focus();
    });
    tell();
  }
})();
