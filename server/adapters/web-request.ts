/** Makes a web `Request` of a Node request, and reads nothing before its body is asked for. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { createRequest } from "@remix-run/node-fetch-server"
import { bytesOf, hasBody } from "./body-bytes.ts"

/** Where the service is, whatever a `Host` header says. */
export type Place = { readonly protocol: string; readonly host: string }

/** Undefined for requests that the web's `Request` cannot hold: TRACE, and targets in absolute form. */
export function webRequest(req: IncomingMessage, res: ServerResponse, place: Place): Request | undefined {
  try {
    if (req.method === "GET" || req.method === "HEAD") return createRequest(req, res, place)
    const { method = "POST", url, headers, socket } = req
    const bodiless = createRequest({ method: "GET", url, headers, socket } as IncomingMessage, res, place)
    const read = bytesOf(req)
    if (read === undefined && !hasBody(req)) return new Request(bodiless, { method })
    const body = read ?? lazily(() => createRequest(req, res, place).body)
    return new Request(bodiless, { method, body, duplex: "half" } as RequestInit)
  } catch {
    return undefined
  }
}

/** A caller that sends `Expect: 100-continue` is told to go on by the first read, so refusals come before that. */
function lazily(open: () => ReadableStream<Uint8Array> | null): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        reader ??= open()?.getReader()
        const { done = true, value } = (await reader?.read()) ?? {}
        if (done) controller.close()
        else controller.enqueue(value as Uint8Array)
      },
      cancel: (reason) => reader?.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
