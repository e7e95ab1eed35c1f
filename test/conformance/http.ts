/**
 * Sends requests byte for byte and keeps every header field; `fetch` would correct the errors that rules look
 * for.
 */
import { request as httpRequest, type IncomingMessage } from "node:http"
import { request as httpsRequest } from "node:https"
import { connect } from "node:net"
import { connect as connectTls } from "node:tls"
import { parseJson } from "../../shared/values/json.ts"
import { Deviation } from "./outcomes.ts"

export type Fields = readonly (readonly [name: string, value: string])[]

export type RequestParts = { readonly method?: string; readonly headers?: Fields; readonly body?: string }

export type Answer = {
  readonly status: number
  /** One value for each field of that name. */
  fields(name: string): readonly string[]
  /** The fields of that name, joined; empty when there is none. */
  header(name: string): string
  readonly text: string
  /** The members of a JSON object; none for any other body. */
  readonly body: Readonly<Record<string, unknown>>
  /** Header names, values and the body. */
  readonly whole: string
}

/** An answer that takes longer counts as a hang. */
const longestMilliseconds = 10_000
const formType = "application/x-www-form-urlencoded"

export const form = (parameters: Record<string, string> | readonly (readonly [string, string])[]) => ({
  method: "POST",
  headers: [["content-type", formType]] as Fields,
  body: new URLSearchParams(parameters as Record<string, string>).toString(),
})

export const withHeaders = <T extends RequestParts>(asked: T, headers: Fields): T => ({
  ...asked,
  headers: [...(asked.headers ?? []), ...headers],
})

/** Follows no redirect. Throws {@link Deviation} when no answer comes. */
export function send(
  url: string,
  { method = "GET", headers = [], body }: RequestParts = {},
): Promise<Answer> {
  const target = new URL(url)
  const length: Fields = body === undefined ? [] : [["content-length", String(Buffer.byteLength(body))]]
  const fields = [["host", target.host] as const, ...headers, ...length].flat()
  const ask = target.protocol === "https:" ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const fail = (why: string) =>
      reject(new Deviation(`${method} ${target.pathname}: found ${why}, wanted an answer`))
    const timeout = AbortSignal.timeout(longestMilliseconds)
    const request = ask(target, { method, headers: fields, signal: timeout, agent: false }, (response) => {
      readAnswer(response).then(resolve, () => fail("half an answer"))
    })
    request.on("error", () => fail(timeout.aborted ? `none in ${longestMilliseconds / 1000} s` : "none"))
    request.end(body)
  })
}

/** Sends bytes over a new connection; returns all bytes of the answer until the other side closes it. */
export function sendBytes(url: string, bytes: string): Promise<string> {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, "")
  const isTls = protocol === "https:"
  const at = { host, port: Number(port) || (isTls ? 443 : 80) }
  return new Promise((resolve, reject) => {
    const socket = isTls ? connectTls({ ...at, servername: host }) : connect(at)
    let answer = ""
    const timer = setTimeout(() => {
      socket.destroy()
      reject(
        new Deviation(
          `found a connection still open after ${longestMilliseconds / 1000} s, wanted it closed`,
        ),
      )
    }, longestMilliseconds)
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text
    })
    // A server may reset the connection after its answer; the bytes before the reset count.
    socket.on("error", () => undefined)
    socket.on("close", () => {
      clearTimeout(timer)
      resolve(answer)
    })
    socket.write(bytes)
  })
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  const text = Buffer.concat(parts).toString("utf8")
  const fields = (name: string) => response.headersDistinct[name.toLowerCase()] ?? []
  return {
    status: response.statusCode ?? 0,
    fields,
    header: (name) => fields(name).join(", "),
    text,
    body: membersOf(text),
    whole: `${response.rawHeaders.join("\n")}\n\n${text}`,
  }
}

function membersOf(text: string): Record<string, unknown> {
  try {
    const value = parseJson(text)
    return typeof value === "object" && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
