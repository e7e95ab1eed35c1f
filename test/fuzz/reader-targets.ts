/** Fuzz targets that read text and return a value or a typed error: codec, JSON, configuration, challenge. */
import fc from "fast-check"
import { Ticket402Error } from "../../client/core/errors.ts"
import { requireAcceptable } from "../../client/core/policy.ts"
import { readChallenge } from "../../client/wire/read-challenge.ts"
import { ConfigError, parseConfig } from "../../server/config/config.ts"
import { networks } from "../../shared/networks/index.ts"
import { findAsset } from "../../shared/networks/network.ts"
import { CodecError, decodeHeader } from "../../shared/values/codec.ts"
import { JsonError, parseJson } from "../../shared/values/json.ts"
import { paymentRequiredHeader } from "../../shared/x402/messages.ts"
import { rollOf, spellJson } from "../support/json-text.ts"
import { mutated, scratched } from "./mutate.ts"
import type { Target } from "./run.ts"

const base64 = (text: string): string => Buffer.from(text).toString("base64")
const noise = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.base64String({ maxLength: 200 }),
  fc.nat(40_000).map((depth) => "[".repeat(depth)),
  fc.nat(20_000).map((depth) => '{"a":'.repeat(depth) + "1".repeat(depth % 3) + "}".repeat(depth)),
)

/** Texts of edited values in any JSON spelling, with or without further edits of the text. */
export function jsonTexts(values: readonly unknown[]): fc.Arbitrary<string> {
  const spelled = fc
    .tuple(mutated(values), fc.uint8Array({ maxLength: 64 }))
    .map(([value, bytes]) => spellJson(value, rollOf(bytes)))
  return fc.oneof(
    { weight: 5, arbitrary: spelled },
    { weight: 3, arbitrary: scratched(spelled) },
    { weight: 1, arbitrary: noise },
  )
}

export const headerTexts = (values: readonly unknown[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: jsonTexts(values).map(base64) },
    { weight: 2, arbitrary: scratched(jsonTexts(values).map(base64)) },
    { weight: 1, arbitrary: noise },
  )

/** A typed refusal is an outcome; any other error breaks the promise. */
function nameOfRefusal(error: unknown, ...kinds: readonly (new (...args: never[]) => Error)[]): string {
  if (kinds.some((kind) => error instanceof kind)) return (error as Error).name
  throw error
}

export const codecTarget = (values: readonly unknown[]): Target<string> => ({
  name: "header decoder",
  inputs: headerTexts(values),
  run(text) {
    let value: unknown
    try {
      value = decodeHeader(text)
    } catch (error) {
      return nameOfRefusal(error, CodecError, JsonError)
    }
    if (Buffer.from(text, "base64").toString("base64") !== text)
      throw new Error("two headers decode to the same bytes")
    refuseForbidden(value)
    return "value"
  },
})

export const jsonTarget = (values: readonly unknown[]): Target<string> => ({
  name: "JSON reader",
  inputs: jsonTexts(values),
  run(text) {
    try {
      refuseForbidden(parseJson(text))
    } catch (error) {
      return nameOfRefusal(error, JsonError)
    }
    return "value"
  },
})

function refuseForbidden(value: unknown): void {
  if (typeof value !== "object" || value === null) return
  for (const key of Object.keys(value)) {
    if (["__proto__", "constructor", "prototype"].includes(key)) throw new Error(`accepted the key ${key}`)
    refuseForbidden((value as Record<string, unknown>)[key])
  }
}

export function configTarget(values: readonly unknown[]): Target<[unknown, Record<string, string>]> {
  const variables = ["TICKET402_ISSUER", "TICKET402_LISTEN", "TICKET402_PAY_TO", "TICKET402_LOG_LEVEL"]
  const environment = fc.dictionary(fc.constantFrom(...variables), fc.string(), { maxKeys: 1 })
  return {
    name: "configuration",
    inputs: fc.tuple(
      fc.oneof(
        { weight: 8, arbitrary: mutated(values) },
        {
          weight: 1,
          arbitrary: fc.anything({ withBigInt: true, withDate: true, withMap: true, maxDepth: 3 }),
        },
      ),
      environment,
    ),
    run([input, variables]) {
      try {
        parseConfig(input, variables)
      } catch (error) {
        return nameOfRefusal(error, ConfigError)
      }
      return "value"
    },
  }
}

const perPurchase = 50_000n

const rules = {
  payer: `0x${"1".repeat(40)}`,
  networks,
  perPurchase,
  origins: undefined,
  assets: undefined,
  payTos: undefined,
  canApprove: false,
  recipients: [],
} as const

/**
 * The client's reader of 402 answers: the chosen payment is within the budget and of an asset in the client's
 * own table.
 */
export const challengeTarget = (values: readonly unknown[]): Target<{ text: string; inHeader: boolean }> => ({
  name: "client's challenge reader",
  inputs: fc.oneof(
    fc.record({ text: headerTexts(values), inHeader: fc.constant(true) }),
    fc.record({ text: jsonTexts(values), inHeader: fc.constant(false) }),
  ),
  async run({ text, inHeader }) {
    const response = responseOf(text, inHeader)
    if (!response) return "no header"
    try {
      const challenge = await readChallenge(response, 1_000)
      if (!challenge) return "no challenge"
      for (const { network, asset, micros } of requireAcceptable(challenge, rules)) {
        const own = findAsset(network, asset.address)
        if (micros > perPurchase || own !== asset) throw new Error("chose a payment that the rules forbid")
      }
      return "choice"
    } catch (error) {
      return nameOfRefusal(error, Ticket402Error)
    }
  },
})

/** Undefined for a text that no header can carry. */
function responseOf(text: string, inHeader: boolean): Response | undefined {
  if (!inHeader) return new Response(text, { status: 402, headers: { "content-type": "application/json" } })
  try {
    return new Response(null, { status: 402, headers: { [paymentRequiredHeader]: text } })
  } catch {
    return undefined
  }
}
