// The map page: load the pool, then fill the panels.

import { mountLayout } from "./layout.js";
import { mountPanels } from "./panels.js";
import { pool } from "./pool.js";
import { state } from "./state.js";

const byId = (id) => document.getElementById(id);

function tell(sentence) {
  const trouble = byId("trouble");
  trouble.hidden = !sentence;
  trouble.textContent = sentence ?? "";
}

pool.addEventListener("trouble", ({ detail }) => tell(detail));
mountLayout(byId("workspace"));
try {
  await pool.open(state.get().locality);
  mountPanels({ filters: byId("filters"), table: byId("table"), inspector: byId("inspector") });
  document.body.dataset.ready = "yes";
} catch (error) {
  tell(error.message);
  throw error;
}
