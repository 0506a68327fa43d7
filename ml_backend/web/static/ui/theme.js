// Light or dark: what the system says, unless the visitor chose. A classic script in the head,
// so that no page flashes in the wrong colors. Fires "themechange" on the document.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const KEY = "earmark.theme";
  const FACES = { auto: "◐", light: "☀", dark: "☾" };
  const NEXT = { auto: "light", light: "dark", dark: "auto" };

  const chosen = () => {
    try {
      return localStorage.getItem(KEY) in NEXT ? localStorage.getItem(KEY) : "auto";
    } catch {
      return "auto"; // storage is refused: the system decides
    }
  };

  const show = (theme) => {
    root.dataset.theme = theme === "auto" ? (system.matches ? "dark" : "light") : theme;
    const button = document.getElementById("theme");
    if (button) {
      button.textContent = FACES[theme];
      button.setAttribute("aria-label", `Colors: ${theme}. Change to ${NEXT[theme]}`);
      button.title = `Colors: ${theme}`;
    }
    document.dispatchEvent(new Event("themechange"));
  };

  show(chosen());
  system.addEventListener("change", () => show(chosen()));
  document.addEventListener("DOMContentLoaded", () => {
    show(chosen());
    document.getElementById("theme")?.addEventListener("click", () => {
      const theme = NEXT[chosen()];
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // kept for this page alone
      }
      show(theme);
    });
  });
})();
