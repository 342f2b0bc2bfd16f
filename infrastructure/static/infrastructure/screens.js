// What staff screens do beyond plain forms. Everything works without it.
"use strict";

// A button with data-add="<id of a template>" adds a row of a form; "__n__" becomes its number.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-add]");
  if (button) {
    const template = document.getElementById(button.dataset.add);
    const rows = document.getElementById(button.dataset.to);
    const number = Number(button.dataset.next);
    button.dataset.next = String(number + 1);
    const row = document.createElement("div");
    row.innerHTML = template.innerHTML.replaceAll("__n__", String(number));
    const added = row.firstElementChild;
    rows.append(added);
    added.querySelector("input:not([type=hidden]), select")?.focus();
  }
  const all = event.target.closest("[data-open-all]");
  if (all) {
    const open = all.dataset.openAll === "true";
    document.querySelectorAll(".tree details").forEach((node) => { node.open = open; });
  }
});

// Whoever leaves a form with changes is asked first.
let changed = false;
document.addEventListener("change", (event) => {
  if (event.target.closest("form[data-guarded]")) changed = true;
});
document.addEventListener("submit", () => { changed = false; });
window.addEventListener("beforeunload", (event) => { if (changed) event.preventDefault(); });

// A button with data-copy="<id of an input>" copies what it says; hidden where that cannot be done.
if (navigator.clipboard) {
  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
      button.textContent = "Copied";
    });
  });
}
