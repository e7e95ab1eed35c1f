/** Asks whether a node has the methods that a settlement needs, without sending anything. */
import { HttpFailed } from "./http-post.ts"
import { isRefusal } from "./node-errors.ts"
import type { Question } from "./nodes.ts"

const nobody = `0x${"00".repeat(19)}01`

/**
 * The methods of a settlement, with parameters that change nothing. Empty bytes are no transaction, so a node that takes
 * transactions refuses them, and a read-only one refuses the method.
 */
export const settlementMethods = {
  eth_getTransactionCount: [nobody, "latest"],
  eth_estimateGas: [{ from: nobody, to: nobody }],
  eth_sendRawTransaction: ["0x"],
  eth_getTransactionReceipt: [`0x${"00".repeat(32)}`],
} as const
export type SettlementMethod = keyof typeof settlementMethods

/** The provider keeps the method from this account. The node itself is well, and answers other requests. */
class MethodForbidden extends Error {
  constructor(method: SettlementMethod) {
    super(`a node does not allow ${method}`)
    this.name = "MethodForbidden"
  }
}
const forbiddenStatuses: ReadonlySet<number | undefined> = new Set([401, 403, 405])

/**
 * Any answer shows that the node has the method, a refusal of these parameters included. Throws {@link MethodForbidden}, or
 * the node's error where it lacks the method or fails. Codes and HTTP statuses count, words do not.
 */
export const hasMethod =
  (method: SettlementMethod): Question<true> =>
  async (client) => {
    try {
      await client.request(method, settlementMethods[method])
    } catch (error) {
      if (error instanceof HttpFailed && forbiddenStatuses.has(error.status))
        throw new MethodForbidden(method)
      if (!isRefusal(error)) throw error
    }
    return { value: true }
  }
