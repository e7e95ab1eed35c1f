/** A plain x402 gate for a fake origin: v2 or v1, one payment for each call, each accepted once. */

import { baseSepolia } from "../../shared/networks/base-sepolia.ts"
import { domainOf } from "../../shared/networks/network.ts"
import { exactEip3009 } from "../../shared/schemes/exact-eip3009.ts"
import type { SignedTransfer } from "../../shared/schemes/scheme.ts"
import { decodeHeader, encodeHeader } from "../../shared/values/codec.ts"
import { recoverSigner } from "../../shared/values/evm.ts"
import { type Handler, json, type Recorded } from "./fake-origin.ts"

const payTo = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C"
const [usdc] = baseSepolia.assets
const transaction = `0x${"12".repeat(32)}`

type Entry = Record<string, unknown>

/** Uses Base Sepolia, the test network for which v1 has a name. */
export function createPlainGate(version: 1 | 2) {
  const [header, answered] =
    version === 2 ? ["payment-signature", "payment-response"] : ["x-payment", "x-payment-response"]
  const self = {
    amount: "10000",
    /** Changes an entry of `accepts` before it is sent. */
    changeEntry: (entry: Entry): unknown => entry,
    /** The answer to a paid call. */
    handler: ((_request, response) => json(response, 200, { film: 7 })) as Handler,
    /** Answers that replace the next paid answers, one each. */
    script: [] as Handler[],
    settled: [] as SignedTransfer[],
    /** Payment headers as received. */
    paymentHeaders: [] as string[],
    /** Calls that reached the handler. */
    handled: [] as Recorded[],
    challenge,
    gate,
  }
  return self

  function challenge(error: string) {
    const terms = { network: baseSepolia.id, amount: self.amount }
    const termsV1 = {
      network: baseSepolia.v1Name,
      maxAmountRequired: self.amount,
      resource: "http://seller.example/movies/7",
      description: "a film",
      mimeType: "application/json",
    }
    const entry = {
      scheme: "exact",
      asset: usdc.address,
      payTo,
      maxTimeoutSeconds: 60,
      extra: usdc.eip712,
      ...(version === 2 ? terms : termsV1),
    }
    const resource = version === 2 ? { resource: { url: "http://seller.example/movies/7" } } : {}
    return { x402Version: version, error, ...resource, accepts: [self.changeEntry(entry)] }
  }

  async function gate(...[request, response, socket]: Parameters<Handler>): Promise<void> {
    const text = request.headers[header ?? ""]
    const refuse = (error: string): void => {
      const body = challenge(error)
      json(response, 402, body, version === 2 ? { "payment-required": encodeHeader(body) } : {})
    }
    if (typeof text !== "string") return refuse("payment header is required")
    self.paymentHeaders.push(text)
    const { payload, ...envelope } = decodeHeader(text) as Entry
    const transfer = exactEip3009.parse(payload)
    const isAccepted =
      version === 2
        ? JSON.stringify(envelope.accepted) ===
          JSON.stringify(self.changeEntry((challenge("").accepts as Entry[])[0]!))
        : envelope.network === baseSepolia.v1Name
    const verdict = await exactEip3009.verify(transfer, domainOf(baseSepolia, usdc), recoverSigner)
    if (verdict !== "valid" || !isAccepted) return refuse("invalid_payload")
    if (transfer.value < BigInt(self.amount)) return refuse("insufficient_amount")
    const scripted = self.script.shift()
    if (scripted) return scripted(request, response, socket)
    if (self.settled.some(({ nonce }) => nonce === transfer.nonce)) return refuse("nonce_already_used")
    self.handled.push(request)
    self.settled.push(transfer)
    const settlement = { success: true, transaction, network: baseSepolia.id, payer: transfer.payer }
    response.setHeader(answered ?? "", encodeHeader(settlement))
    return self.handler(request, response, socket)
  }
}
