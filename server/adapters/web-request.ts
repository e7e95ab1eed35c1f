/** Makes a web `Request` of a Node request, and reads nothing before its body is asked for. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { createRequest } from "@remix-run/node-fetch-server"
import { bytesOf, hasBody } from "./body-bytes.ts"

/** Where the service is. */
export type Place = { readonly protocol: string; readonly host: string }

/**
 * Without a place, `Host` names it. Undefined for requests that the web's `Request` cannot hold: TRACE, and targets in
 * absolute form.
 */
export function webRequest(req: IncomingMessage, res: ServerResponse, place?: Place): Request | undefined {
  try {
    if (req.method === "GET" || req.method === "HEAD") return createRequest(req, res, place)
    const { method = "POST", url, headers, socket } = req
    const bodiless = createRequest({ method: "GET", url, headers, socket } as IncomingMessage, res, place)
    const body = bytesOf(req) ?? (hasBody(req) ? unreadBody(req) : null)
    return new Request(bodiless, { method, body, duplex: "half" } as RequestInit)
  } catch {
    return undefined
  }
}

/**
 * Read when the endpoint asks for it: a caller that sends `Expect: 100-continue` is told to go on by the first read. The
 * connection outlives a body that is not read to its end, because the answer is still to come.
 */
const unreadBody = (req: IncomingMessage): BodyInit =>
  req.iterator({ destroyOnReturn: false }) as unknown as BodyInit
