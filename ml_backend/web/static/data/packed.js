// The packed form: uint32 length of the header, header (JSON), then buffers at 8-aligned offsets.
//
// A decoded column is one of
//   number, date   { name, kind, values }        NaN = missing; dates in seconds since 1970
//   category, text,
//   boolean        { name, kind, codes, names }  -1 = missing; names[code] is the text
//                  and `members`, where some codes are sets of classes: members[code] lists them
// Booleans have the names "no" and "yes".

/** @typedef {{ name: string, kind: string, values: Float32Array | Float64Array | Int32Array, codes?: undefined,
 *   names?: undefined }} Numbers */
/** @typedef {{ name: string, kind: string, codes: Int32Array, names: string[] | null, members?: string[][],
 *   classes?: string[], values?: undefined }} Codes */
/** @typedef {Numbers | Codes} Column */
/** @typedef {Uint8Array | Uint16Array | Uint32Array | Int32Array | Float32Array | Float64Array} Stored */
/** @typedef {{ name: string, kind: string, dtype: string, offset: number, scale?: number, names?: string[],
 *   members?: string[][] }} Described */
/** @typedef {{ n: number, columns: Map<string, Column>, etag?: string | null }} Packed */

/** @type {Record<string, new (buffer: ArrayBuffer, offset: number, n: number) => Stored>} */
const ARRAYS = {
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  i4: Int32Array,
  f4: Float32Array,
  f8: Float64Array,
};
const BOOLEAN = ["no", "yes"];

/** Decode an answer: `{ n, ...extras, columns: Map(name → column) }`.
 * @param {ArrayBuffer} buffer @returns {Packed} */
export function decodePacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const columns = new Map();
  for (const described of header.columns) {
    columns.set(described.name, decodeColumn(described, buffer, header.n));
  }
  return { ...header, columns };
}

/** @param {Described} described @param {ArrayBuffer} buffer @param {number} n @returns {Column} */
function decodeColumn({ name, kind, dtype, offset, scale, names, members }, buffer, n) {
  const stored = new ARRAYS[dtype](buffer, offset, n);
  const isFloat = dtype === "f4" || dtype === "f8";
  const missing = isFloat || dtype === "i4" ? NaN : 2 ** (8 * stored.BYTES_PER_ELEMENT) - 1;
  if (kind === "category" || kind === "text" || kind === "boolean") {
    const codes = Int32Array.from(stored, (code) => (code === missing ? -1 : code));
    const named = { name, kind, codes, names: names ?? (kind === "boolean" ? BOOLEAN : null) };
    return members ? { ...named, members } : named;
  }
  if (isFloat || dtype === "i4") return { name, kind, values: /** @type {Numbers["values"]} */ (stored) };
  const factor = scale ?? 1;
  const Values = dtype === "u4" ? Float64Array : Float32Array; // 24 bits hold no u4
  const values = new Values(n);
  for (let row = 0; row < n; row++) values[row] = stored[row] === missing ? NaN : stored[row] * factor;
  return { name, kind, values };
}

/** What a code is called.
 * @param {Pick<Codes, "names">} column @param {number} code */
export const nameOf = ({ names }, code) => names?.[code] ?? String(code);

/** The classes that a code of a category stands for: several, where it is a set.
 * @param {Codes} column @param {number} code */
export const membersAt = ({ names, members }, code) => members?.[code] ?? [nameOf({ names }, code)];

/** The text of a category, text or boolean column at a row; null where it is missing.
 * @param {Codes} column @param {number} row */
export function textAt(column, row) {
  const code = column.codes[row];
  return code < 0 ? null : nameOf(column, code);
}

/** Codes of a column that is known to hold some.
 * @param {Map<string, Column>} columns @param {string} name */
export const codesOf = (columns, name) => /** @type {Codes} */ (columns.get(name));

/** Numbers of a column that is known to hold some.
 * @param {Map<string, Column>} columns @param {string} name */
export const numbersOf = (columns, name) => /** @type {Numbers} */ (columns.get(name)).values;
