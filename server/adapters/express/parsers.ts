/** Finds body parsers before the endpoints, which would lose the bytes of a refresh after every purchase has worked. */
import { Readable } from "node:stream"
import type { Application, Request, RequestHandler } from "express"
import type { Logger } from "../../ports/runtime.ts"
import { bytesOf, isLost } from "../body-bytes.ts"
import { handlersOn } from "./layers.ts"

/** The parsers of express, by the names of their handlers. */
const parsers: Readonly<Record<string, string>> = {
  jsonParser: "express.json()",
  urlencodedParser: "express.urlencoded()",
  rawParser: "express.raw()",
  textParser: "express.text()",
}

const samples = [
  ["application/json", '{"a":1}'],
  ["application/x-www-form-urlencoded", "a=1"],
] as const

/**
 * Returns a check that says why the bodies of requests to a path cannot be read; undefined where they can. The layers are
 * looked at once for each path, and each cause is logged once.
 */
export function createParserCheck(log: Logger) {
  const found = new Map<string, Promise<string | undefined>>()
  const logged = new Set<string>()

  return async (req: Request, path: string, endpoint: unknown): Promise<string | undefined> => {
    const finding = found.get(path) ?? findParser(req.app, path, endpoint)
    found.set(path, finding)
    const parser = (await finding) ?? (isLost(req) ? "the middleware that reads bodies" : undefined)
    if (parser === undefined) return undefined
    const cause = `Mount authorizationServer(issuer) before ${parser}.`
    if (!logged.has(cause)) log.error({ path, parser }, "no request body can be read, so nothing is sold")
    logged.add(cause)
    return cause
  }
}

/** The first parser that requests for `path` pass before `endpoint` and that keeps no bytes, as a seller wrote it. */
async function findParser(app: Application, path: string, endpoint: unknown): Promise<string | undefined> {
  let found: string | undefined
  for (const { handle, method } of handlersOn(app, path)) {
    if (handle === endpoint) return found
    if (found !== undefined || typeof handle !== "function" || (method ?? "POST") !== "POST") continue
    const name = parsers[handle.name]
    if (name !== undefined && !(await keepsBytes(handle as RequestHandler, path))) found = name
  }
  // The endpoint is inside a function, so a parser may as well stand behind it.
  return undefined
}

/** Parses a sample of each body that the endpoints read: a parser may leave it alone, or keep its bytes in `rawBody`. */
async function keepsBytes(parser: RequestHandler, url: string): Promise<boolean> {
  for (const [type, text] of samples) {
    const headers = { "content-type": type, "content-length": String(text.length) }
    const request = Object.assign(Readable.from([Buffer.from(text)]), { method: "POST", url, headers })
    await new Promise<void>((resolve) => void parser(request as never, {} as never, () => resolve()))
    if (request.readableDidRead && bytesOf(request as never) === undefined) return false
  }
  return true
}
