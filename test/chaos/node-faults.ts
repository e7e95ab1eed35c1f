/** The faults of a node, or of the connection to it; each fault is an answer to one call. */
import { setTimeout as delay } from "node:timers/promises"
import { type Forward, type Intercept, lie, type RpcCall, type RpcReply } from "../support/rpc-proxy.ts"

export type NodeFault = {
  readonly name: string
  /** Limits the fault to calls of this method. */
  readonly method?: string
  /** Numbers of calls in a row that fail; a client that retries once survives a single failure. */
  readonly spans: readonly number[]
  /** Creates a new handler for each time the fault is injected. */
  readonly intercept: () => Intercept
}

const always = (intercept: Intercept) => () => intercept

const outage = (name: string, intercept: Intercept, spans: readonly number[] = [1]): NodeFault => ({
  name,
  spans,
  intercept: always(intercept),
})

/** Changes the result of a method on its way to the service. */
const lying = (
  name: string,
  method: string,
  change: (result: unknown, params: unknown[]) => unknown,
): NodeFault => ({
  name: `lie: ${name}`,
  method,
  spans: [1],
  intercept: always((call, forward) => lie(call, method, change, forward)),
})

/** Answers with a JSON-RPC error without carrying out the call. */
const refusing = (name: string, method: string, code: number, message: string): NodeFault => ({
  name: `lie: ${name}`,
  method,
  spans: [1],
  intercept: always(async (call) => errorReply(call, code, message)),
})

const onceOrFourTimes = [1, 4]
const staleBlocks = 3n
const delayMs = 400

/** `foreign` answers as a node of another chain. */
export function nodeFaults(foreign: (call: RpcCall) => Promise<RpcReply>): readonly NodeFault[] {
  return [
    outage(
      "delay",
      async (_call, forward) => {
        await delay(delayMs)
        return forward()
      },
      onceOrFourTimes,
    ),
    outage("drop before forwarding", async () => ({ cut: "closed" }), onceOrFourTimes),
    outage(
      "drop after forwarding",
      async (_call, forward) => {
        await forward()
        return { cut: "closed" }
      },
      onceOrFourTimes,
    ),
    outage("connection reset", async () => ({ cut: "reset" })),
    outage("cut in the middle of the answer", async (_call, forward) => ({
      ...(await forward()),
      partly: true,
    })),
    outage("JSON-RPC error", async (call) => errorReply(call, -32603, "internal error")),
    outage("JSON-RPC limit", async (call) => errorReply(call, -32005, "limit exceeded")),
    outage("HTTP 502", async () => ({ status: 502, body: "<html>bad gateway</html>" })),
    outage("HTTP 429", async () => ({ status: 429, body: "slow down" })),
    outage("no JSON", async () => ({ status: 200, body: "<html>welcome</html>" })),
    {
      name: "another chain answers",
      spans: onceOrFourTimes,
      intercept: always(foreign),
    },
    { name: "stale block", spans: [1, 8], intercept: always(stale) },
    {
      name: "duplicate",
      spans: onceOrFourTimes,
      intercept: always(async (_call, forward) => {
        await forward()
        return forward()
      }),
    },
    { name: "reorder", spans: [2], intercept: swapped },
    ...lies,
  ]
}

const word = (text: string, at: number, value: bigint): string =>
  `${text.slice(0, 2 + at * 64)}${value.toString(16).padStart(64, "0")}${text.slice(2 + (at + 1) * 64)}`

/** Changes one word of the result of the intake read: hash of the code, balance, used, transferred, received. */
const reading =
  (at: number, value: bigint) =>
  (result: unknown): unknown =>
    typeof result === "string" && result.length === 2 + 7 * 64 ? word(result, at, value) : result

const receipt = (change: (receipt: Record<string, unknown>) => unknown) => (result: unknown) =>
  result === null ? null : change(result as Record<string, unknown>)

const lies: readonly NodeFault[] = [
  lying(
    "receipt of a failure",
    "eth_getTransactionReceipt",
    receipt((was) => ({ ...was, status: "0x0", logs: [] })),
  ),
  lying(
    "receipt without logs",
    "eth_getTransactionReceipt",
    receipt((was) => ({ ...was, logs: [] })),
  ),
  lying("no receipt", "eth_getTransactionReceipt", () => null),
  lying(
    "receipt of another payment",
    "eth_getTransactionReceipt",
    receipt((was) => ({ ...was, status: "0x1", logs: (was.logs as Log[]).map(ofAnother) })),
  ),
  lying(
    "receipt of an unknown block",
    "eth_getTransactionReceipt",
    receipt((was) => ({ ...was, blockHash: `0x${"ab".repeat(32)}` })),
  ),
  {
    ...lying("hole in the chain", "eth_getBlockByNumber", (result, [number]) =>
      /^0x/.test(String(number)) ? null : result,
    ),
    spans: [1, 8],
  },
  lying("payer without balance", "eth_call", reading(1, 0n)),
  lying("payer with a large balance", "eth_call", reading(1, 10n ** 12n)),
  lying("payer with code", "eth_call", reading(0, 23n)),
  lying("authorization used", "eth_call", reading(2, 1n)),
  lying("transfer that reverts", "eth_call", reading(3, 0n)),
  lying("transfer that succeeds", "eth_call", reading(3, 1n)),
  lying("relayer without gas", "eth_getBalance", () => "0x0"),
  lying("nonce 0", "eth_getTransactionCount", () => "0x0"),
  lying("nonce ahead", "eth_getTransactionCount", (result) => `0x${(Number(result) + 2).toString(16)}`),
  lying("no logs", "eth_getLogs", () => []),
  lying("no gas needed", "eth_estimateGas", () => "0x5208"),
  lying("accepted, but not sent", "eth_sendRawTransaction", () => `0x${"cd".repeat(32)}`),
  refusing("already known", "eth_sendRawTransaction", -32000, "already known"),
  refusing("nonce too low", "eth_sendRawTransaction", -32000, "nonce too low"),
  refusing(
    "replacement underpriced",
    "eth_sendRawTransaction",
    -32000,
    "replacement transaction underpriced",
  ),
  refusing(
    "insufficient funds",
    "eth_sendRawTransaction",
    -32000,
    "insufficient funds for gas * price + value",
  ),
  refusing("execution reverted", "eth_estimateGas", 3, "execution reverted"),
]

type Log = { topics: string[] }
/** The same events with another payer. */
const ofAnother = (log: Log): Log => ({
  ...log,
  topics: log.topics.map((topic, at) => (at === 1 ? `0x${"0".repeat(24)}${"77".repeat(20)}` : topic)),
})

function errorReply({ asked, text }: RpcCall, code: number, message: string): RpcReply {
  const answers = asked.map(({ id }) => ({ jsonrpc: "2.0", id, error: { code, message } }))
  return { status: 200, body: JSON.stringify(text.trimStart().startsWith("[") ? answers : answers[0]) }
}

/** Position of the block parameter of each method. */
const tagAt: Readonly<Record<string, number>> = {
  eth_call: 1,
  eth_estimateGas: 1,
  eth_getBalance: 1,
  eth_getCode: 1,
  eth_getTransactionCount: 1,
  eth_getBlockByNumber: 0,
  eth_feeHistory: 1,
}

/** Answers as a node that lags three blocks behind. */
async function stale({ asked, text }: RpcCall, forward: Forward): Promise<RpcReply> {
  const question = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_blockNumber", params: [] })
  const head = BigInt((JSON.parse((await forward(question)).body) as { result: string }).result)
  const known = head > staleBlocks ? head - staleBlocks : 0n
  const tag = `0x${known.toString(16)}`
  const changed = asked.map((request) => {
    const params = [...(request.params ?? [])]
    const at = tagAt[request.method]
    if (at !== undefined && !/^0x/.test(String(params[at] ?? "latest"))) params[at] = tag
    if (request.method === "eth_getLogs") params[0] = { ...(params[0] as object), toBlock: tag }
    return { ...request, params }
  })
  const isList = text.trimStart().startsWith("[")
  const { status, body } = await forward(JSON.stringify(isList ? changed : changed[0]))
  const results = [JSON.parse(body)].flat() as { id: unknown; result?: unknown }[]
  for (const answer of results) {
    const method = asked.find(({ id }) => id === answer.id)?.method
    if (method === "eth_blockNumber") answer.result = tag
    const found = answer.result as { blockNumber?: string } | null | undefined
    if (method === "eth_getTransactionReceipt" && found?.blockNumber && BigInt(found.blockNumber) > known)
      answer.result = null
  }
  return { status, body: JSON.stringify(isList ? results : results[0]) }
}

/** Delays the first call until the second has been answered, or for 400 ms if no second call comes. */
function swapped(): Intercept {
  let second = () => {}
  const overtaken = new Promise<void>((resolve) => {
    second = resolve
  })
  let isFirst = true
  return async (_call, forward) => {
    if (!isFirst) {
      const reply = await forward()
      second()
      return reply
    }
    isFirst = false
    await Promise.race([overtaken, delay(delayMs)])
    return forward()
  }
}
