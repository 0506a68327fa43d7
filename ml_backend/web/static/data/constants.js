// Constants that the server shares: it writes them into every page (web/pages/constants.py).

/** @type {{ csrf_header: string, longest_address: number, max_title: number, n_ahead: number, none_of_them: string,
 *   spectrogram_margins_px: { left: number, right: number, top: number, bottom: number },
 *   states: Record<"labeled" | "skipped" | "tied" | "no_label" | "unreadable" | "pool" | "failed", string> }} */
export const constants = JSON.parse(document.documentElement.dataset.constants ?? "{}");
