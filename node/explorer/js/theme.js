// Sets the colour theme before the first paint: the system's, or the one chosen here earlier.
// A classic script on purpose: modules run after the page has been drawn once.
(function () {
  "use strict";
  var chosen = null;
  try {
    chosen = window.localStorage.getItem("twinchain-theme");
  } catch (error) {
    chosen = null; // storage may be forbidden; the system's theme is fine
  }
  if (chosen === "light" || chosen === "dark") {
    document.documentElement.setAttribute("data-theme", chosen);
  }
})();
