"use strict";
(() => {
  const root = document.documentElement;
  const scheme = document.getElementById("scheme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.scheme ? root.dataset.scheme === "dark" : dark.matches);
  const label = () => { scheme.textContent = isDark() ? "Light" : "Dark"; };
  scheme.hidden = false;
  scheme.addEventListener("click", () => {
    root.dataset.scheme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();

  const copy = async (button) => {
    const text = button.parentElement.querySelector("pre").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // A page off the disk may not reach the clipboard: the text is selected instead.
      window.getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", () => copy(button));
  }

  for (const stream of document.querySelectorAll(".stream")) {
    const says = stream.querySelector(".pointed");
    const line = stream.querySelector(".line");
    const point = (event, keep) => {
      const box = event.target.closest("rect");
      if (!box) return;
      says.textContent = box.dataset.says;
      if (!keep) return;
      for (const other of line.querySelectorAll(".on")) other.classList.remove("on");
      box.classList.add("on");
    };
    line.addEventListener("pointerover", (event) => point(event, false));
    line.addEventListener("click", (event) => point(event, true));
  }
})();
