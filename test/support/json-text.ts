/**
 * Writes one JSON value in many ways, and one payment in many spellings that do not change its signed
 * content.
 */
import { checksumAddress, type Hex } from "../../shared/values/evm.ts"

/** The next of a series of choices: a whole number below `sides`. */
export type Roll = (sides: number) => number

/**
 * Choices from bytes, repeated from the start, so that a generator of bytes is a generator of choices (and
 * shrinks like one).
 */
export function rollOf(bytes: Uint8Array): Roll {
  let at = 0
  return (sides) => (bytes.length === 0 ? 0 : (bytes[at++ % bytes.length] ?? 0) % sides)
}

/** A text that every JSON reader reads as this value, with random order of keys, white space and escapes. */
export function spellJson(value: unknown, roll: Roll): string {
  const space = () => ["", "", "", " ", "\n", "\t ", "\r\n"][roll(7)] ?? ""
  const write = (item: unknown): string => {
    if (Array.isArray(item)) return `[${item.map((each) => `${space()}${write(each)}${space()}`).join(",")}]`
    if (typeof item === "string") return spellString(item, roll)
    if (typeof item === "number") return spellNumber(item, roll)
    if (typeof item !== "object" || item === null) return JSON.stringify(item)
    const members = shuffle(Object.entries(item), roll).map(([key, each]) => member(key, write(each)))
    return `{${space()}${members.join(",")}${space()}}`
  }
  const member = (key: string, text: string) =>
    `${space()}${spellString(key, roll)}${space()}:${space()}${text}${space()}`
  return `${space()}${write(value)}${space()}`
}

function spellString(text: string, roll: Roll): string {
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
  const characters = text
    .split("")
    .map((unit) => (roll(12) === 0 ? escaped(unit) : unit === "/" && roll(2) === 0 ? "\\/" : plain(unit)))
  return `"${characters.join("")}"`
}

const plain = (unit: string): string => JSON.stringify(unit).slice(1, -1)

function spellNumber(value: number, roll: Roll): string {
  if (!Number.isInteger(value) || value < 0 || roll(4) !== 0) return JSON.stringify(value)
  return [`${value}.0`, `${value}e0`, `${value}E+0`][roll(3)] ?? String(value)
}

function shuffle<T>(items: readonly T[], roll: Roll): T[] {
  const left = [...items]
  return items.flatMap(() => left.splice(roll(left.length), 1))
}

export type PaymentJson = {
  readonly accepted: Record<string, unknown> & { asset: Hex; extra?: unknown }
  readonly payload: { readonly signature: Hex; readonly authorization: Record<string, Hex> }
}

/**
 * The same authorization with other cases of its hex digits, and with unknown members where readers ignore
 * them.
 */
export function spellPayment(payment: Record<string, unknown>, roll: Roll): Record<string, unknown> {
  const { accepted, payload } = payment as PaymentJson
  const { from = "0x", to = "0x", nonce = "0x", ...rest } = payload.authorization
  const noise = () => (roll(3) === 0 ? { unknown: roll(5), more: [null, { deep: "x" }] } : {})
  return {
    ...payment,
    ...noise(),
    accepted: {
      ...accepted,
      ...noise(),
      asset: spellAddress(accepted.asset, roll),
      extra: { ...(accepted.extra as object), ...noise() },
    },
    payload: {
      signature: spellHex(payload.signature, roll),
      authorization: {
        ...rest,
        from: spellAddress(from, roll),
        to: spellAddress(to, roll),
        nonce: spellHex(nonce, roll),
      },
    },
    ...(roll(3) === 0 && { resource: { url: "https://elsewhere.example/" } }),
    ...(roll(3) === 0 && { extensions: noise() }),
  }
}

function spellHex(hex: Hex, roll: Roll): Hex {
  const digits = hex.slice(2)
  return `0x${[digits, digits.toUpperCase(), mixed(digits, roll)][roll(3)]}`
}

const mixed = (digits: string, roll: Roll): string =>
  digits
    .split("")
    .map((digit) => (roll(2) === 0 ? digit.toUpperCase() : digit))
    .join("")

/** All lower, all upper, or with the correct checksum: any other mixture is a typing error. */
function spellAddress(address: Hex, roll: Roll): Hex {
  const digits = address.slice(2)
  return [
    `0x${digits.toLowerCase()}` as const,
    `0x${digits.toUpperCase()}` as const,
    checksumAddress(address),
  ][roll(3)] as Hex
}
