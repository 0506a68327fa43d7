// Fills the panels around the map: filters, table and inspector. Called once the frame is loaded.

export function mountPanels({ filters, table, inspector }) {
  filters.replaceChildren();
  table.replaceChildren();
  inspector.replaceChildren();
}
