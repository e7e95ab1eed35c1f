/** Sends one request to an upstream and streams the answer to the buyer, each side as fast as the other reads. */
import type { ServerResponse } from "node:http"
import type { Readable } from "node:stream"
import type { Dispatcher, Pool } from "undici"
import type { UpstreamHeaders } from "./answer-headers.ts"
import { BuyerLeft, type Failure, failureOf, isStaleConnection } from "./failures.ts"

export type Outgoing = {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Names and values in turn. */
  readonly headers: string[]
  readonly body: Readable | Uint8Array | null
}

export type Head = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
}

/** Decides on the head of the upstream's answer. */
export type ReadHead = (status: number, headers: UpstreamHeaders) => Head | Failure

/** `failed`: nothing was sent to the buyer. */
export type Relayed =
  | { readonly kind: "sent" }
  | { readonly kind: "left" }
  | { readonly kind: "failed"; readonly failure: Failure; readonly error: Error; readonly isStale: boolean }

export function relay(
  pool: Pool,
  outgoing: Outgoing,
  res: ServerResponse,
  readHead: ReadHead,
): Promise<Relayed> {
  return new Promise((resolve) => {
    let controller: Dispatcher.DispatchController | undefined
    let refused: Failure | undefined
    let hasLeft = res.destroyed

    const resume = () => controller?.resume()
    const leave = () => {
      hasLeft = !res.writableFinished
      if (hasLeft) controller?.abort(new BuyerLeft())
    }
    const end = (relayed: Relayed) => {
      res.off("drain", resume).off("close", leave)
      resolve(relayed)
    }
    res.on("drain", resume).once("close", leave)

    pool.dispatch(
      { ...outgoing, method: outgoing.method as Dispatcher.HttpMethod },
      {
        onRequestStart(started) {
          controller = started
          if (hasLeft) started.abort(new BuyerLeft())
        },
        onResponseStart(started, status, headers) {
          // 103 and its like are about the upstream's own connection.
          if (status < 200) return
          const head = readHead(status, headers)
          if (typeof head === "string") {
            refused = head
            started.abort(new Error("the answer is not passed on"))
            return
          }
          for (const [name, value] of Object.entries(head.headers)) res.setHeader(name, value)
          res.writeHead(head.status)
          res.flushHeaders()
        },
        onResponseData(started, chunk) {
          if (!res.write(chunk)) started.pause()
        },
        onResponseEnd() {
          res.end()
          end({ kind: "sent" })
        },
        onResponseError(_started, error) {
          if (hasLeft) end({ kind: "left" })
          else if (res.headersSent) {
            // The buyer must not take a part for the whole.
            res.destroy()
            end({ kind: "sent" })
          } else
            end({
              kind: "failed",
              failure: refused ?? failureOf(error),
              error,
              isStale: refused === undefined && isStaleConnection(error),
            })
        },
      },
    )
  })
}
