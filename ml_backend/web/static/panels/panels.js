// Fills the panels around the map: filters, table and inspector. Called once the frame is loaded.

import { filtering } from "../data/filtering.js";
import { mountInspector } from "../inspector/inspector.js";
import { mountFilters } from "./filters.js";
import { mountTable } from "./table.js";

export function mountPanels({ filters, table, inspector }) {
  mountFilters(filters);
  mountTable(table);
  mountInspector(inspector);
  filtering.start();
}
