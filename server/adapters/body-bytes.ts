/** Finds the bytes of a request body that a host has read before the application. */
import type { IncomingMessage } from "node:http"

/** A request, with the members by which hosts pass on a body that they have read. */
export type HostRequest = IncomingMessage & { readonly rawBody?: unknown; readonly body?: unknown }

/** Undefined where the host has read nothing, or has kept only a parsed form: parsers merge doubled keys. */
export function bytesOf({ rawBody, body }: Partial<HostRequest>): Uint8Array<ArrayBuffer> | undefined {
  for (const each of [rawBody, body]) {
    if (typeof each === "string") return new TextEncoder().encode(each)
    if (each instanceof Uint8Array) return new Uint8Array(each)
  }
  return undefined
}

/** By the framing of the message (RFC 9112 §6). */
export const hasBody = ({ headers }: Pick<IncomingMessage, "headers">): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0

/** The body has left the stream, and its bytes are gone. */
export const isLost = (req: HostRequest): boolean =>
  hasBody(req) && (req.readableEnded || req.readableDidRead) && bytesOf(req) === undefined
