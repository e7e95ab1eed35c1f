/** Reads the 402 of a plain x402 server, v2 or v1, which sells the call itself, as one of our own challenges. */
import * as z from "zod"
import { networks } from "../../shared/networks/index.ts"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import {
  type OfferTerms,
  paymentHeaderV1,
  paymentRequiredSchema,
  paymentResponseHeader,
  paymentResponseHeaderV1,
  paymentSignatureHeader,
} from "../../shared/x402/messages.ts"
import type { Challenge, Show } from "../core/challenge.ts"
import { readBody, readHeader, requireShape } from "./read-challenge.ts"
import { codeOf } from "./token-endpoint.ts"

/** The one offer of a plain server, for all its entries. */
const offer = "single call"
const terms: OfferTerms = { scope: "", durationSeconds: 0, calls: 1, reusable: false, settle: "background" }

/** A challenge that sells the call itself; `reason` is why the payment that came with it was not taken. */
export type PlainChallenge = Challenge & { readonly show: Show; readonly reason: string | undefined }

export const isPlain = (challenge: Challenge): challenge is PlainChallenge => challenge.show !== undefined

/**
 * Reads the price of the call from the 402 of `asked`: v2 in the header, else v1 in the body. Undefined where it is
 * neither; throws `challenge_malformed` where it claims to be one and is not.
 */
export async function readPlain(
  response: Response,
  asked: URL,
  timeoutMs: number,
): Promise<PlainChallenge | undefined> {
  const json = readHeader(response)
  const read = json === undefined ? readV1(await readBody(response, timeoutMs)) : readV2(json)
  if (!read) return undefined
  const place = new URL(asked)
  place.hash = ""
  return {
    accepts: [...read.entries.keys()],
    info: { tokenEndpoint: place.href, resource: place.href, offers: { [offer]: terms } },
    // A token that came with the call was for other things.
    insufficientGrant: true,
    reason: read.error == null ? undefined : codeOf(read.error),
    show: (entry, payload) => read.show(read.entries.get(entry), payload),
  }
}

type Read = {
  readonly error: string | null | undefined
  /** Maps an entry as policy.ts reads it to the entry as the server wrote it. */
  readonly entries: ReadonlyMap<unknown, unknown>
  readonly show: Show
}

function readV2(json: unknown): Read | undefined {
  if (versionOf(json) !== 2) return undefined
  const { accepts, error, resource } = requireShape(paymentRequiredSchema, json)
  return {
    error,
    entries: new Map(accepts.map((entry) => [named(entry), entry])),
    show: (accepted, payload) => ({
      headerName: paymentSignatureHeader,
      header: encodeHeader({ x402Version: 2, resource: { url: resource.url }, accepted, payload }),
    }),
  }
}

const requiredV1Schema = z.object({
  error: z.string().max(512).nullish(),
  accepts: z.array(z.unknown()).max(100),
})
const entryV1Schema = z.object({
  scheme: z.string(),
  network: z.string(),
  maxAmountRequired: z.string(),
  asset: z.string(),
  payTo: z.string(),
  maxTimeoutSeconds: z.number(),
  extra: z.record(z.string(), z.unknown()).nullish(),
})
const idsByV1Name = new Map([...networks.values()].map(({ id, v1Name }) => [v1Name, id]))

function readV1(json: unknown): Read | undefined {
  if (versionOf(json) !== 1) return undefined
  const { accepts, error } = requireShape(requiredV1Schema, json)
  return {
    error,
    entries: new Map(accepts.map((entry) => [named(inV2(entry)), entry])),
    show(accepted, payload) {
      const { scheme, network } = entryV1Schema.parse(accepted)
      return {
        headerName: paymentHeaderV1,
        header: encodeHeader({ x402Version: 1, scheme, network, payload }),
      }
    },
  }
}

/** A v1 entry in the spelling of v2; null, which no rule accepts, for a malformed one. */
function inV2(entry: unknown): unknown {
  const parsed = entryV1Schema.safeParse(entry)
  if (!parsed.success) return null
  const { maxAmountRequired, network, ...same } = parsed.data
  return { ...same, network: idsByV1Name.get(network) ?? network, amount: maxAmountRequired }
}

/** A copy that names the one offer; a malformed entry stays malformed. */
function named(entry: unknown): unknown {
  const parsed = z.looseObject({ extra: z.looseObject({}).nullish() }).safeParse(entry)
  if (!parsed.success) return { entry }
  const { quote: _, ...extra } = parsed.data.extra ?? {}
  return { ...parsed.data, extra: { ...extra, offer } }
}

const versionOf = (json: unknown): unknown => (json as { x402Version?: unknown } | undefined)?.x402Version

const settlementSchema = z.object({
  success: z.boolean(),
  transaction: z
    .string()
    .regex(/^0x[0-9a-fA-F]{64}$/)
    .optional()
    .catch(undefined),
})

/** Reads the server's own statement about the payment. It decides nothing that costs money. */
export function readSettlement(response: Response): z.infer<typeof settlementSchema> | undefined {
  const { headers } = response
  const text = headers.get(paymentResponseHeader) ?? headers.get(paymentResponseHeaderV1)
  try {
    return text === null ? undefined : settlementSchema.parse(decodeHeader(text))
  } catch {
    return undefined
  }
}
