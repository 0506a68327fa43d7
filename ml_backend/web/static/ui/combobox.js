// A text field with a list to choose from (ARIA combobox): grouped, searched, driven by keys.
//
//   const box = makeCombobox({ label, placeholder, options, onChoose, keepsChoice })
//   options(words) → [{ value, title, group }], or a promise of it
//   box.element, box.show(title)

let count = 0;

export function makeCombobox({ label, placeholder = "", options, onChoose, keepsChoice = true }) {
  const id = `combobox-${++count}`;
  const element = document.createElement("div");
  element.className = "combobox";
  const input = document.createElement("input");
  const list = document.createElement("ul");
  Object.assign(input, { type: "text", placeholder, autocomplete: "off", spellcheck: false });
  for (const [name, value] of Object.entries({
    role: "combobox",
    "aria-label": label,
    "aria-expanded": "false",
    "aria-controls": id,
    "aria-autocomplete": "list",
  }))
    input.setAttribute(name, value);
  list.id = id;
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", label);
  element.append(input, list);

  let shown = []; // [{ option, item }]
  let active = -1;
  let chosen = "";
  let asked = 0;

  const open = async (words) => {
    const turn = ++asked;
    const found = await options(words);
    if (turn !== asked || document.activeElement !== input) return; // a later question was quicker
    list.replaceChildren();
    shown = [];
    let group = null;
    for (const option of found) {
      if (option.group && option.group !== group) {
        group = option.group;
        const heading = document.createElement("li");
        heading.className = "group";
        heading.setAttribute("role", "presentation");
        heading.textContent = group;
        list.append(heading);
      }
      const item = document.createElement("li");
      item.id = `${id}-${shown.length}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(option.title === chosen));
      item.textContent = option.title;
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault(); // the field keeps the focus
        choose(option);
      });
      shown.push({ option, item });
      list.append(item);
    }
    if (shown.length === 0) {
      const nothing = document.createElement("li");
      nothing.className = "group";
      nothing.textContent = words ? "Nothing of that name" : "Type a word";
      list.append(nothing);
    }
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    activate(words && shown.length > 0 ? 0 : shown.findIndex(({ option }) => option.title === chosen));
  };

  const close = () => {
    asked++;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    activate(-1);
    input.value = chosen;
  };

  const activate = (place) => {
    shown[active]?.item.classList.remove("active");
    active = place;
    const item = shown[active]?.item;
    item?.classList.add("active");
    item?.scrollIntoView({ block: "nearest" });
    if (item) input.setAttribute("aria-activedescendant", item.id);
    else input.removeAttribute("aria-activedescendant");
  };

  const choose = (option) => {
    if (keepsChoice) chosen = option.title;
    input.blur(); // which closes the list; single keys are commands again
    onChoose(option);
  };

  input.addEventListener("focus", () => input.select());
  input.addEventListener("click", () => list.hidden && open(""));
  input.addEventListener("input", () => open(input.value.trim()));
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && list.hidden) open("");
    else if (step) activate((active + step + shown.length) % Math.max(shown.length, 1));
    else if (event.key === "Enter" && shown[active] && !list.hidden) choose(shown[active].option);
    else if (event.key === "Escape" && !list.hidden) close();
    else return event.stopPropagation(); // typing is no shortcut of the page
    event.preventDefault();
    event.stopPropagation();
  });

  const show = (title) => {
    chosen = title;
    if (document.activeElement !== input) input.value = title;
  };
  return { element, input, show };
}
