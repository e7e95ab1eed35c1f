/** Makes small edits of valid values and texts; a failing input shrinks to the edit that matters. */
import fc from "fast-check"

/** Values that are known to break parsers. */
const troublesome: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    "",
    " ",
    "0",
    "-1",
    "+5",
    "1e3",
    "0x10",
    "0b11",
    "1.0",
    "٣",
    "\u00a00",
    "\ufeff",
    "\u0000",
    "\r\n",
    "\u2028",
    "\ud800",
    "0x",
    "0X00",
    "vitalik.eth",
    "__proto__",
    "constructor",
    "toString",
    "9".repeat(78),
    "9".repeat(79),
    "a".repeat(5000),
    `0x${"0".repeat(130)}`,
    `0x${"f".repeat(130)}`,
    `0x${"0".repeat(40)}`,
  ),
  fc.string(),
  fc.jsonValue({ maxDepth: 3 }),
  fc.uint8Array({ maxLength: 70 }).map((bytes) => `0x${Buffer.from(bytes).toString("hex")}`),
)

const kinds = ["replace", "replace", "delete", "rename", "add", "swap", "wrap", "upper"] as const
type Edit = { readonly kind: (typeof kinds)[number]; readonly at: number; readonly value: unknown }

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(10_000), value: troublesome }),
  { maxLength: 3 },
)

/** One of the values, with up to three edits at any depth. */
export const mutated = (values: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc
    .record({ at: fc.nat(10_000), edits })
    .map(({ at, edits }) => edits.reduce(edit, structuredClone(values[at % values.length])))

type Slot = { readonly holder: Record<string, unknown>; readonly key: string }

function slotsIn(value: unknown): readonly Slot[] {
  if (typeof value !== "object" || value === null) return []
  const holder = value as Record<string, unknown>
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...slotsIn(holder[key])])
}

function edit(root: unknown, { kind, at, value }: Edit): unknown {
  const slots = slotsIn(root)
  const slot = slots[at % (slots.length + 1)]
  const other = slots[(at * 31) % (slots.length + 1)]
  if (!slot) return kind === "wrap" ? [root] : kind === "replace" ? value : root
  const { holder, key } = slot
  const old = holder[key]
  const put = (name: string, item: unknown) =>
    // An assignment to a key named __proto__ would set the prototype instead.
    Object.defineProperty(holder, name, {
      value: item,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  // An array with named members has no form in JSON.
  if (kind === "replace" || Array.isArray(holder)) put(key, value)
  else if (kind === "delete") delete holder[key]
  else if (kind === "rename") {
    delete holder[key]
    put(typeof value === "string" ? value : "__proto__", old)
  } else if (kind === "add") put(typeof value === "string" ? value : "constructor", value)
  else if (kind === "wrap") put(key, at % 2 === 0 ? [old] : { "": old })
  else if (kind === "upper") put(key, textOf(old).toUpperCase())
  else if (other) put(key, structuredClone(other.holder[other.key]))
  return root
}

/**
 * String() would call the toString of the object, which an edit may have replaced by something that is no
 * function.
 */
export const textOf = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "")

const textEdits = fc.array(
  fc.record({
    kind: fc.constantFrom("insert", "replace", "delete", "truncate", "repeat"),
    at: fc.nat(10_000),
    text: fc.oneof(
      fc.string({ maxLength: 3, unit: "binary" }),
      fc.constantFrom("\u0000", '"', "\\", "{", "]", "=", ".", ",", " ", "\n", "%", "&", "\\u0000", "é"),
    ),
  }),
  { maxLength: 3 },
)

/** The text with up to three edits of its characters. */
export const scratched = (texts: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(texts, textEdits).map(([text, edits]) =>
    edits.reduce((now, { kind, at, text: piece }) => {
      const where = now.length === 0 ? 0 : at % now.length
      const [before, after] = [now.slice(0, where), now.slice(where)]
      if (kind === "insert") return before + piece + after
      if (kind === "replace") return before + piece + after.slice(piece.length)
      if (kind === "delete") return before + after.slice(1 + (at % 7))
      return kind === "truncate" ? before : before + after.slice(0, 40).repeat(1 + (at % 50)) + after
    }, text),
  )
