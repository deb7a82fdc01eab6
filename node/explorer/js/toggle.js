// The button that chooses a theme: like the system, light, or dark. theme.js applies it at start.

import { announce, put, svg } from "./dom.js";

const ORDER = ["system", "light", "dark"];
const KEY = "twinchain-theme";
const SHAPES = {
  system: "M3 4h14v9H3zM7 16h6M10 13v3",
  light: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6L16 16M4 16l1.4-1.4M14.6 5.4L16 4",
  dark: "M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7z",
};

function current() {
  return document.documentElement.getAttribute("data-theme") ?? "system";
}

function choose(theme) {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // storage may be forbidden: the choice then lasts as long as the page
  }
}

export function mountTheme(button) {
  const show = () => {
    const theme = current();
    const label = `Theme: ${theme}. Change`;
    button.setAttribute("aria-label", label);
    button.title = label;
    put(button, svg("svg", { viewBox: "0 0 20 20", width: 18, height: 18, fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, svg("path", { d: SHAPES[theme] })));
  };
  button.addEventListener("click", () => {
    choose(ORDER[(ORDER.indexOf(current()) + 1) % ORDER.length]);
    announce(`Theme ${current()}`);
    show();
  });
  show();
}
