// The packed form: uint32 length of the header, header (JSON), then buffers at 8-aligned offsets.
//
// A decoded column is one of
//   number, date   { name, kind, values }        NaN = missing; dates in seconds since 1970
//   category, text,
//   boolean        { name, kind, codes, names }  -1 = missing; names[code] is the text
//                  and `members`, where some codes are sets of classes: members[code] lists them
// Booleans have the names "no" and "yes".

const ARRAYS = {
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  i4: Int32Array,
  f4: Float32Array,
  f8: Float64Array,
};
const BOOLEAN = ["no", "yes"];

/** Decode an answer: `{ n, ...extras, columns: Map(name → column) }`. */
export function decodePacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const columns = new Map();
  for (const described of header.columns) {
    columns.set(described.name, decodeColumn(described, buffer, header.n));
  }
  return { ...header, columns };
}

function decodeColumn({ name, kind, dtype, offset, scale, names, members }, buffer, n) {
  const stored = new ARRAYS[dtype](buffer, offset, n);
  const isFloat = dtype === "f4" || dtype === "f8";
  const missing = isFloat || dtype === "i4" ? NaN : 2 ** (8 * stored.BYTES_PER_ELEMENT) - 1;
  if (kind === "category" || kind === "text" || kind === "boolean") {
    const codes = Int32Array.from(stored, (code) => (code === missing ? -1 : code));
    const named = { name, kind, codes, names: names ?? (kind === "boolean" ? BOOLEAN : null) };
    return members ? { ...named, members } : named;
  }
  if (isFloat || dtype === "i4") return { name, kind, values: stored };
  const factor = scale ?? 1;
  const Values = dtype === "u4" ? Float64Array : Float32Array; // 24 bits hold no u4
  return { name, kind, values: Values.from(stored, (v) => (v === missing ? NaN : v * factor)) };
}

/** The classes that a code of a category stands for: several, where it is a set. */
export const membersAt = ({ names, members }, code) => members?.[code] ?? [names[code]];

/** The text of a category, text or boolean column at a row; null where it is missing. */
export function textAt(column, row) {
  const code = column.codes[row];
  return code < 0 ? null : (column.names?.[code] ?? String(code));
}
