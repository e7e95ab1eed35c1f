/** Speaks JSON-RPC 2.0 with one node. Short calls that come while others are under way share one request. */
import { HttpFailed, type Post, type PostAnswer } from "./http-post.ts"

/** The node answered with an error. Its words are kept for people; no verdict depends on them. */
export class RpcError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.name = "RpcError"
    this.code = code
  }
}

/** The answer has another shape than the one asked for. */
export class MalformedAnswer extends Error {
  constructor(wanted: string) {
    super(`a node's answer is not ${wanted}`)
    this.name = "MalformedAnswer"
  }
}

export type RpcClient = {
  /** Resolves to the result as the node sent it. Throws {@link RpcError}, HttpFailed or {@link MalformedAnswer}. */
  request(method: string, params?: readonly unknown[]): Promise<unknown>
}

type Call = {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** Methods that a node answers at once. A request for logs would hold the others up. */
const shortMethods: ReadonlySet<string> = new Set([
  "eth_blockNumber",
  "eth_call",
  "eth_getBalance",
  "eth_getBlockByHash",
  "eth_getBlockByNumber",
  "eth_getCode",
  "eth_getStorageAt",
  "eth_getTransactionCount",
  "eth_getTransactionReceipt",
])
/** Shared requests under way; a call that comes then waits for one of them at most. */
const mostUnderWay = 2
/** Calls in one request: providers refuse long ones. */
const mostCalls = 20

/** `spend` waits until one more call may be made: providers bill calls, also those that share a request. */
export function createRpcClient(post: Post, spend: () => Promise<void>): RpcClient {
  const waiting: Call[] = []
  let underWay = 0
  let nextId = 1
  /** False for a node that has refused a shared request and answered the same calls one by one. */
  let isShareable = true

  function sendWaiting(): void {
    while (waiting.length > 0 && underWay < mostUnderWay) {
      underWay += 1
      void sendTogether(waiting.splice(0, mostCalls)).finally(() => {
        underWay -= 1
        sendWaiting()
      })
    }
  }

  /** Never throws: each call gets its own result or error. */
  async function sendTogether(calls: readonly Call[]): Promise<void> {
    const [first, ...others] = calls
    if (first && others.length === 0) {
      await sendAlone(first)
      return
    }
    try {
      const answers = readAll(await post(JSON.stringify(calls.map(bodyOf))))
      if (answers) {
        for (const call of calls) settle(call, answers.get(call.id))
        return
      }
    } catch (error) {
      for (const call of calls) call.reject(error)
      return
    }
    const answered = await Promise.all(calls.map(sendAlone))
    if (answered.some(Boolean)) isShareable = false
  }

  /** Whether the node answered. */
  async function sendAlone(call: Call): Promise<boolean> {
    try {
      settle(call, readOne(await post(JSON.stringify(bodyOf(call)))))
      return true
    } catch (error) {
      call.reject(error)
      return false
    }
  }

  return {
    async request(method, params = []) {
      await spend()
      return new Promise((resolve, reject) => {
        const call: Call = { id: nextId++, method, params, resolve, reject }
        if (!isShareable || !shortMethods.has(method)) return void sendAlone(call)
        waiting.push(call)
        // After the other calls of this moment.
        if (waiting.length === 1) queueMicrotask(sendWaiting)
      })
    },
  }
}

const bodyOf = ({ id, method, params }: Call) => ({ jsonrpc: "2.0", id, method, params })

type Answer = { readonly id?: unknown; readonly error?: unknown; readonly result?: unknown }

/** The answers by id; undefined when the node answered the request as a whole and not each of its calls. */
function readAll(answer: PostAnswer): ReadonlyMap<unknown, Answer> | undefined {
  const value = parse(answer)
  if (Array.isArray(value)) return new Map(value.filter(isAnswer).map((each) => [each.id, each]))
  if (isAnswer(value) || isRefusedRequest(answer.status)) return undefined
  throw failureOf(answer)
}

function readOne(answer: PostAnswer): Answer {
  const value = parse(answer)
  // Some nodes send an error with another status.
  if (isAnswer(value) && (answer.status === 200 || errorOf(value))) return value
  throw failureOf(answer)
}

/** The client's fault by RFC 9110 §15.5.1, .14 and .21; other statuses concern any request. */
const isRefusedRequest = (status: number): boolean => [400, 413, 422].includes(status)

const failureOf = ({ status }: PostAnswer): HttpFailed =>
  new HttpFailed(status === 200 ? "a node's answer is not JSON-RPC" : `a node answered with HTTP ${status}`, {
    status,
  })

function parse({ body }: PostAnswer): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const isAnswer = (value: unknown): value is Answer =>
  typeof value === "object" && value !== null && !Array.isArray(value)

function settle(call: Call, answer: Answer | undefined): void {
  const error = answer && errorOf(answer)
  if (error) call.reject(error)
  else if (answer && answer.result !== undefined) call.resolve(answer.result)
  else call.reject(new MalformedAnswer("a result or an error"))
}

function errorOf({ error }: Answer): RpcError | undefined {
  if (typeof error !== "object" || error === null) return undefined
  const { code, message } = error as { code?: unknown; message?: unknown }
  return new RpcError(Number(code), String(message))
}
